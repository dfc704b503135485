//! `stowage db dump`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use stowage_backup::{Error, dump};
use stowage_cli::{API_ERROR, AdminArgs, output};
use url::form_urlencoded;

use super::reach::{Reach, open};

/// Print all rows as text, one JSON object a line
///
/// The rows are those of one moment. Values that are JSON or MessagePack are decoded. Exit status:
/// 0 success, 1 the server refused or there is no such table, 2 any other failure.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stowage db dump > rows.ndjson
  stowage db dump --table favorites")]
pub struct DumpArgs {
    /// Which server or data directory
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Only the rows of this table
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
}

impl DumpArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match Reach::find(&self.admin).await? {
            Reach::Server(client) => {
                let mut path = "/admin/db/dump".to_owned();
                if let Some(table) = &self.table {
                    path.push('?');
                    let start = path.len();
                    path = form_urlencoded::Serializer::for_suffix(path, start)
                        .append_pair("table", table)
                        .finish();
                }
                let mut rows = client.stream(&path).await?;
                let mut lines = Lines::default();
                while let Some(piece) = rows.next().await? {
                    if !print(&lines.without_empty(&piece))? {
                        break;
                    }
                }
            }
            Reach::Files(data) => {
                let source = open(&data)?;
                let rows = source.store.checkpoint().await.context("the database cannot be read")?;
                let table = self.table;
                let dumping = tokio::task::spawn_blocking(move || {
                    let mut failure = None;
                    let dumped = dump(&rows, table.as_deref(), |block| match print(&block) {
                        Ok(goes_on) => goes_on,
                        Err(error) => {
                            failure = Some(error);
                            false
                        }
                    });
                    dumped.map(|()| failure)
                });
                let dumped = dumping.await.context("the dump panicked")?;
                source.store.close().await;
                if let Err(error @ Error::NoSuchTable { .. }) = &dumped {
                    eprintln!("stowage: {}", output::printable(&error.to_string()));
                    return Ok(ExitCode::from(API_ERROR));
                }
                if let Some(error) = dumped? {
                    return Err(error).context("stdout");
                }
            }
        }
        match io::stdout().flush() {
            // Whoever read it has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            flushed => flushed.context("stdout").map(|()| ExitCode::SUCCESS),
        }
    }
}

/// Writes to stdout. Returns `false` if stdout is closed (`| head`), which is no error.
fn print(bytes: &[u8]) -> io::Result<bool> {
    match io::stdout().lock().write_all(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Leaves out empty lines, which are signs of life of the server.
#[derive(Default)]
struct Lines {
    /// Whether the last piece ended in the middle of a line.
    is_in_line: bool,
}

impl Lines {
    fn without_empty(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(piece.len());
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.is_in_line || line != b"\n" {
                kept.extend_from_slice(line);
            }
            self.is_in_line = !line.ends_with(b"\n");
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_left_out_wherever_pieces_end() {
        let text = b"\n{1}\n\n\n{22}\n\n{3}\n";
        for len in 1..text.len() {
            let mut lines = Lines::default();
            let kept: Vec<u8> = text.chunks(len).flat_map(|piece| lines.without_empty(piece)).collect();
            assert_eq!(kept, b"{1}\n{22}\n{3}\n", "pieces of {len}");
        }
    }
}
