//! `stowage space`: creates, fills and checks a space, without a server.

mod import;
mod init;
mod place;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

pub use self::import::{ImportArgs, ImportKind};
pub use self::init::{DEFAULT_TOTAL, InitArgs};
pub use self::place::SpaceArgs;
pub use self::place::{directory_url, shown, space_url};
pub use self::verify::VerifyArgs;

/// Create, fill and check a space
#[derive(Debug, Subcommand)]
pub enum SpaceCommand {
    /// Create a space
    Init(InitArgs),
    /// Import local files into a space
    Import(ImportArgs),
    /// Check that a space conforms to its format
    Verify(VerifyArgs),
}

impl SpaceCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The space cannot be reached, or an argument is malformed.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Init(args) => args.run().await,
            Self::Import(args) => args.run().await,
            Self::Verify(args) => args.run().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::API_ERROR;
    use crate::size::ByteSize;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: SpaceCommand,
    }

    pub(super) fn parsed(arguments: &[&str]) -> Result<SpaceCommand, clap::Error> {
        Program::try_parse_from([&["space"], arguments].concat()).map(|program| program.command)
    }

    pub(super) fn import_args(arguments: &[&str]) -> ImportArgs {
        match parsed(&[&["import"], arguments].concat()).expect("valid arguments") {
            SpaceCommand::Import(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn import_needs_a_kind_and_paths_and_one_source_of_a_password() {
        assert!(parsed(&["import", "a"]).is_err());
        assert!(parsed(&["import", "--as", "storage"]).is_err());
        assert!(parsed(&["import", "--as", "storage", "--password", "--password-file", "f", "a"]).is_err());
        let args = import_args(&["--as", "temp-files", "--folder", "abc", "a", "b"]);
        assert_eq!((args.kind, args.paths.len()), (ImportKind::TempFiles, 2));
    }

    #[tokio::test]
    async fn files_are_imported_into_a_new_space_and_verified() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("space").to_str().expect("text").to_owned();
        let file = dir.path().join("a.txt");
        std::fs::write(&file, "hello").expect("writable");
        let space = SpaceArgs {
            space: Some(place.clone()),
            data: None,
        };
        assert!(space.open().await.is_err(), "there is none yet");
        let init = InitArgs {
            url: place.clone(),
            total: ByteSize(1 << 20),
            json: true,
        };
        assert_eq!(init.run().await.expect("made"), ExitCode::SUCCESS);

        let file = file.to_str().expect("text");
        let args = import_args(&[
            "--space",
            &place,
            "--as",
            "storage",
            "--json",
            file,
            "/nonexistent/b.txt",
        ]);
        assert_eq!(
            args.run().await.expect("ran"),
            ExitCode::from(API_ERROR),
            "one file was left out"
        );
        let verified = VerifyArgs {
            space: space.clone(),
            deep: true,
            json: false,
        }
        .run()
        .await;
        assert_eq!(verified.expect("readable"), ExitCode::SUCCESS);

        let (opened, _) = space.open().await.expect("there");
        let report = stowage_cloud::verify(&opened, true).await.expect("readable");
        assert_eq!((report.blobs, report.blob_bytes, report.total_bytes), (1, 5, 1 << 20));
    }
}
