//! `stowage module log`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::admin::AdminClient;
use super::show;
use crate::locate::AdminArgs;
use crate::output::{self, printable};
use stowage_deploy::api::{LogLine, ModuleLog};

/// The pause between two questions for new lines.
const PAUSE: Duration = Duration::from_millis(500);
/// Lines of one answer while lines are followed: as many as a server keeps.
const PAGE: u16 = 1000;

/// Show what was logged about a module: what it prints, its traps, its swaps
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module log favorites --follow")]
pub struct LogArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// The module
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Lines to show, the last ones
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Go on with the lines that come, until ctrl-c
    #[arg(long)]
    pub follow: bool,
    /// Print a line of JSON for each line of the log
    #[arg(long)]
    pub json: bool,
}

impl LogArgs {
    /// Prints the lines.
    ///
    /// # Errors
    /// No server answered, or it knows no such module.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let client = AdminClient::new(self.admin.client()?);
        let mut log = client.log(&self.name, None, self.limit).await?;
        // Lines from before the first answer are not missed: nobody asked for them.
        log.dropped = 0;
        loop {
            if !self.print(&log)? || !self.follow {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(PAUSE).await;
            log = client.log(&self.name, Some(log.next), PAGE).await?;
        }
    }

    /// Returns `false` if stdout is closed.
    fn print(&self, log: &ModuleLog) -> anyhow::Result<bool> {
        if log.dropped > 0 {
            eprintln!("{} lines are no longer kept", log.dropped);
        }
        for line in &log.lines {
            let text = match self.json {
                true => serde_json::to_string(line)?,
                false => text(line),
            };
            if !output::line(&text)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Time, level, text and fields on one line.
fn text(line: &LogLine) -> String {
    let mut text = format!("{} {:5} {}", show::time(line.at), line.level, line.message);
    if let Some(version) = &line.version {
        text.push_str(&format!(" version={}", show::version(version)));
    }
    for (name, value) in &line.fields {
        text.push_str(&format!(" {name}={value}"));
    }
    printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_time_level_text_and_fields() {
        let line = LogLine {
            n: 7,
            at: 1_744_104_587_216,
            level: "warn".into(),
            version: Some("0123456789abcdef".into()),
            message: "call\u{1b}[2J failed".into(),
            fields: [("error".to_owned(), "a trap".to_owned())].into(),
        };
        assert_eq!(
            text(&line),
            "2025-04-08T09:29:47Z warn  call?[2J failed version=0123456789ab error=a trap"
        );
    }
}
