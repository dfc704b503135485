//! `stowage console`: opens the console of the running server in a browser.

use std::env;
use std::process::ExitCode;

use clap::Args;

use crate::locate::AdminArgs;
use crate::module::{AdminClient, refused};
use crate::output;
use stowage_deploy::api::ConsoleLink;

/// Variables of which one is set where a browser can show a window.
const DISPLAYS: [&str; 3] = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"];

/// Open the console in a browser, with a new link that works once
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage console\n  stowage console --no-open")]
pub struct ConsoleArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Only print the link
    #[arg(long)]
    pub no_open: bool,
    /// Print one line of JSON, and open nothing
    #[arg(long)]
    pub json: bool,
}

impl ConsoleArgs {
    /// Prints a link into the console and opens it. That no browser can be opened is no error: the
    /// link is there.
    ///
    /// # Errors
    /// No server answered, or it does not take the admin token.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match AdminClient::new(self.admin.client()?).console_link().await {
            Ok(link) => self.show(&link),
            Err(error) => refused(error.into()),
        }
    }

    fn show(&self, link: &ConsoleLink) -> anyhow::Result<ExitCode> {
        if self.json {
            output::line(&serde_json::to_string(link)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        output::line(&output::printable(&link.url))?;
        if !self.no_open && !opened(&link.url) {
            eprintln!("no browser could be opened here: open the link above in one; it works once");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Opens a link in the user's browser. Without a display nothing is tried: a browser for terminals
/// would open, and the page needs more.
fn opened(url: &str) -> bool {
    let has_display = cfg!(not(target_os = "linux")) || DISPLAYS.iter().any(|name| env::var_os(name).is_some());
    has_display && open::that_detached(url).is_ok()
}
