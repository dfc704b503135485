//! `stowage space init`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use stowage_cloud::{Error, OpenOptions, Space};

use super::place::{lasting_url, shown};
use crate::output;
use crate::size::ByteSize;

/// The default size of a space.
pub const DEFAULT_TOTAL: ByteSize = ByteSize(10 << 30);

/// Create a space
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage space init ./space --total 100GB\n  stowage space init s3://bucket/chat")]
pub struct InitArgs {
    /// The space: an object-store URL (file:///…, s3://bucket/prefix, gs://…, az://…, https://… for
    /// WebDAV) or a directory
    #[arg(value_name = "URL")]
    pub url: String,
    /// The size of the space
    #[arg(long, value_name = "SIZE", default_value = "10GB")]
    pub total: ByteSize,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

impl InitArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let url = lasting_url(&self.url)?;
        let (space, made) = match Space::open(&url, OpenOptions::default()).await {
            Ok(space) => (space, false),
            Err(Error::Missing { .. }) => {
                let options = OpenOptions {
                    create: Some(self.total.0),
                    ..OpenOptions::default()
                };
                let space = Space::open(&url, options).await;
                (
                    space.with_context(|| format!("no space can be made at {}", shown(&url)))?,
                    true,
                )
            }
            Err(error) => return Err(error).with_context(|| format!("{} cannot be looked into", shown(&url))),
        };
        let total = ByteSize(space.total_bytes().await?);
        let text = match (self.json, made) {
            (true, _) => json!({"url": space.name(), "totalBytes": total.0, "created": made}).to_string(),
            (false, true) => format!("made a space of {total} at {}", space.name()),
            (false, false) => format!(
                "there is a space of {total} at {} already; nothing was changed",
                space.name()
            ),
        };
        output::line(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::SpaceCommand;
    use crate::space::tests::parsed;

    #[test]
    fn init_takes_a_place_and_a_size() {
        let SpaceCommand::Init(args) = parsed(&["init", "s3://bucket", "--total", "1.5TB"]).expect("valid arguments")
        else {
            panic!("another command");
        };
        assert_eq!((args.url.as_str(), args.total.0), ("s3://bucket", 3 << 39));
        let SpaceCommand::Init(args) = parsed(&["init", "/srv/space"]).expect("valid arguments") else {
            panic!("another command");
        };
        assert_eq!(args.total, DEFAULT_TOTAL);
        assert!(parsed(&["init", "x", "--total", "much"]).is_err());
        assert!(parsed(&["init"]).is_err());
    }

    #[tokio::test]
    async fn no_space_is_made_in_memory() {
        let args = InitArgs {
            url: "memory:///".to_owned(),
            total: DEFAULT_TOTAL,
            json: false,
        };
        let error = args.run().await.expect_err("nothing to make").to_string();
        assert_eq!(error, "a space in memory lives and ends with its server");
    }
}
