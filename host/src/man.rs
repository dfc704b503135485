//! `stowage man`: the manual pages.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::arguments::Arguments;

/// The line of a help before its examples.
const EXAMPLES: &str = "Examples:";

/// Print the manual page, or write one page a command
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage man > stowage.1\n  stowage man ~/.local/share/man/man1")]
pub struct ManArgs {
    /// The directory for the pages, which is created [default: the main page to stdout]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

impl ManArgs {
    /// Writes the pages.
    ///
    /// # Errors
    /// The directory or stdout cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut command = Arguments::command();
        command.build();
        match &self.dir {
            Some(dir) => {
                fs::create_dir_all(dir).with_context(|| format!("the directory {} cannot be made", dir.display()))?;
                write_all(&command, dir)?;
            }
            None => {
                let (_, page) = page(&command)?;
                std::io::stdout()
                    .write_all(&page)
                    .context("the page cannot be written to stdout")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the pages of a command and of all commands under it.
fn write_all(command: &clap::Command, dir: &Path) -> anyhow::Result<()> {
    let (name, page) = page(command)?;
    let file = dir.join(name);
    fs::write(&file, page).with_context(|| format!("{} cannot be written", file.display()))?;
    // `stowage help` shows these pages.
    let is_shown = |child: &&clap::Command| !child.is_hide_set() && child.get_name() != "help";
    let mut children = command.get_subcommands().filter(is_shown);
    children.try_for_each(|child| write_all(child, dir))
}

/// The page of a command and the name of its file. Examples are shown line by line.
fn page(command: &clap::Command) -> anyhow::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone()).source(format!("stowage {}", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut lines = help.lines();
    let notes: Vec<_> = lines.by_ref().take_while(|line| *line != EXAMPLES).collect();
    let mut roff = Roff::new();
    if notes.iter().any(|line| !line.is_empty()) {
        roff.control("SH", ["NOTES"]);
        preformatted(&mut roff, notes);
    }
    roff.control("SH", ["EXAMPLES"]);
    preformatted(&mut roff, lines);
    roff.to_writer(&mut page)?;
    Ok((man.get_filename(), page))
}

fn preformatted<'a>(roff: &mut Roff, lines: impl IntoIterator<Item = &'a str>) {
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line.trim())]);
    }
    roff.control("fi", []);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_with_its_examples() {
        let dir = tempfile::tempdir().expect("a directory");
        let pages = dir.path().join("man1");
        ManArgs {
            dir: Some(pages.clone()),
        }
        .run()
        .expect("writable");
        for (name, text) in [
            ("stowage.1", "stowage doctor"),
            ("stowage-serve.1", "stowage serve \\-\\-demo"),
            ("stowage-module-swap.1", "stowage module swap"),
            ("stowage-space-init.1", "stowage space init"),
        ] {
            let page = fs::read_to_string(pages.join(name)).expect(name);
            let examples = page.split(".SH EXAMPLES").nth(1).expect("a section");
            assert!(examples.contains(text), "{name}: {examples}");
        }
        assert!(
            !pages.join("stowage-compile.1").exists(),
            "a hidden command has no page"
        );
    }
}
