//! `make bench-transfer`: compares the transfers of Stowage with curl, aria2c and rclone in one
//! run. Ratios count: absolute figures depend on the machine.
//!
//! The programs take turns on the same file of the same server, and write to the same file system.
//! Each figure is the median of its rounds. `bench-transfer nginx`, `s3`, `link`, `memory`,
//! `small` and `feed` measure one part. `STOWAGE_BENCH_DIR` is where files are written, if not the
//! directory for temporary files; 12 GiB must be free.

mod calls;
mod feed;
mod large;
mod memory;
mod report;
mod rivals;
mod site;
mod small;
mod subscribers;

use anyhow::Context as _;
use report::Report;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stowage_tests::s3::S3Server;

/// The parts, in their order.
const PARTS: [&str; 6] = ["nginx", "s3", "link", "memory", "small", "feed"];

fn main() -> anyhow::Result<()> {
    // A thousand subscribers and a thousand connections through the link.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve-s3") {
        let root = arguments.get(1).context("serve-s3 DIRECTORY")?;
        return runtime.block_on(async {
            let server = S3Server::start(root.as_ref()).await;
            println!("listening on http://{}", server.address());
            server.served().await;
            Ok(())
        });
    }
    if let Some(unknown) = arguments.iter().find(|part| !PARTS.contains(&part.as_str())) {
        anyhow::bail!("unknown part {unknown}: expected some of {}", PARTS.join(", "));
    }
    runtime.block_on(async {
        let mut report = Report::default();
        for part in PARTS {
            if arguments.is_empty() || arguments.iter().any(|chosen| chosen == part) {
                match part {
                    "nginx" => large::from_nginx(&mut report).await?,
                    "s3" => large::from_s3(&mut report).await?,
                    "link" => large::through_link(&mut report).await?,
                    "memory" => memory::run(&mut report).await?,
                    "small" => small::run(&mut report).await?,
                    _ => feed::run(&mut report).await?,
                }
            }
        }
        report.print();
        Ok(())
    })
}
