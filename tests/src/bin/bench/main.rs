//! `make bench`: compares Stowage with a bare hyper echo and with hyper + SQLite in one run. Ratios
//! count: absolute figures depend on the machine.
//!
//! Each server is a process of its own and shares the processors with the load. The servers take
//! turns. A turn begins when the server before it is idle. Each figure is the median of its rounds.
//! `bench reads`, `bench creates`, `bench calls` (without HTTP) and `bench swaps` measure one
//! part.

mod component;
mod echo;
mod load;
mod process;
mod report;
mod sqlite;
mod swap;

use std::time::Duration;

use anyhow::Context as _;
use load::Request;
use process::Server;
use report::{Measured, Rounds};

/// The connections of the load.
const CONNECTIONS: usize = 64;
/// The turns of every server.
const ROUNDS: usize = 5;
/// The length of one turn.
const ROUND: Duration = Duration::from_secs(3);
/// The folders that exist when lists are read. With the default folder they fill a page of ten.
const FOLDERS: usize = 9;
/// Arguments of a server without a response cache: every call runs.
const EVERY_CALL_RUNS: &[&str] = &["--response-cache-mib", "0"];

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("serve-echo") => runtime.block_on(echo::serve()),
        Some("serve-sqlite") => {
            let file = arguments.next().context("serve-sqlite FILE")?;
            runtime.block_on(sqlite::serve(file.into()))
        }
        Some("reads") => runtime.block_on(servers(true, false)),
        Some("creates") => runtime.block_on(servers(false, true)),
        Some("swaps") => runtime.block_on(swap::run()),
        Some("calls") => runtime.block_on(component::run()),
        None => runtime.block_on(async {
            servers(true, true).await?;
            component::run().await?;
            swap::run().await
        }),
        Some(other) => anyhow::bail!("unknown argument {other}"),
    }
}

/// One turn of a server.
async fn turn<F>(server: &Server, connections: usize, request: F) -> anyhow::Result<Measured>
where
    F: Fn(u64) -> Request + Clone + Send + 'static,
{
    let measured = load::run(server.address, connections, ROUND, request).await?;
    server.calm_down().await?;
    Ok(measured)
}

/// Compares the servers.
async fn servers(reads: bool, creates: bool) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let echo = Server::echo()?;
    let sqlite = Server::sqlite(&dir.path().join("baseline.sqlite"))?;
    let stowage = Server::stowage(&dir.path().join("data"), &[])?;
    let running = Server::stowage(&dir.path().join("running"), EVERY_CALL_RUNS)?;

    for server in [&sqlite, &stowage, &running] {
        for n in 0..FOLDERS {
            load::once(server.address, &Request::create(&format!("folder {n}"))).await?;
        }
    }
    let list = Request::list();
    let expected = load::once(stowage.address, &list).await?;
    let found = load::once(sqlite.address, &list).await?;
    anyhow::ensure!(
        expected.len().abs_diff(found.len()) < 64,
        "the servers do not answer alike: {expected} {found}"
    );
    // The echo returns what it gets: a body as long as the answers of the others.
    let body = Request::echo(expected.len());
    let echoed = move |_| body.clone();
    let listed = move |_| list.clone();

    if reads {
        println!("reads: getImFavoriteFolders, a page of 10, {CONNECTIONS} connections");
        let mut reads = Rounds::new(["bare hyper echo", "hyper + SQLite", "stowage", "every call runs"]);
        for _ in 0..ROUNDS {
            reads.push([
                turn(&echo, CONNECTIONS, echoed.clone()).await?,
                turn(&sqlite, CONNECTIONS, listed.clone()).await?,
                turn(&stowage, CONNECTIONS, listed.clone()).await?,
                turn(&running, CONNECTIONS, listed.clone()).await?,
            ]);
        }
        reads.print();
        reads.print_ratio("stowage", "bare hyper echo");
        reads.print_ratio("stowage", "hyper + SQLite");
        reads.print_ratio("every call runs", "bare hyper echo");
        reads.print_ratio("every call runs", "hyper + SQLite");
    }
    if creates {
        for connections in [CONNECTIONS, 1] {
            println!("\ncreates: createImFavoriteFolder, durable, {connections} connection(s)");
            let mut creates = Rounds::new(["bare hyper echo", "hyper + SQLite", "stowage"]);
            for round in 0..ROUNDS {
                let unique = move |n: u64| Request::create(&format!("{connections}-{round}-{n}"));
                creates.push([
                    turn(&echo, connections, echoed.clone()).await?,
                    turn(&sqlite, connections, unique).await?,
                    turn(&stowage, connections, unique).await?,
                ]);
            }
            creates.print();
            creates.print_ratio("stowage", "hyper + SQLite");
        }
    }
    println!(
        "\nresident memory of stowage after the load: {:.1} MiB",
        stowage.resident_mib()?
    );
    Ok(())
}
