//! `stowage module history`.

use std::process::ExitCode;

use clap::Args;

use super::admin::AdminClient;
use super::show;
use crate::locate::AdminArgs;
use crate::output::printable;
use stowage_deploy::api::HistoryEntry;

/// Show the history of the live modules
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stowage module history --limit 5")]
pub struct HistoryArgs {
    /// Which server
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Entries to show, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

impl HistoryArgs {
    /// Prints the history.
    ///
    /// # Errors
    /// No server answered.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let history = AdminClient::new(self.admin.client()?)
            .history(self.limit.into())
            .await?;
        show::print(&history, self.json, |history| text(&history.history))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One line an entry, with the changes since the entry before it.
fn text(history: &[HistoryEntry]) -> String {
    let mut rows = vec![
        ["GENERATION", "AT", "ACTION", "BY", "MODULES"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (i, entry) in history.iter().enumerate() {
        let mut modules = changes(entry, history.get(i + 1));
        if let Some(reason) = &entry.reason {
            modules = format!("{modules}: {}", printable(reason));
        }
        rows.push(vec![
            entry.generation.to_string(),
            show::time(entry.at),
            printable(&entry.action),
            printable(&entry.by),
            modules,
        ]);
    }
    show::table(&rows).join("\n")
}

/// The added and removed modules, as `+NAME VERSION` and `-NAME`, with the keys that signed them.
/// The oldest entry has all its modules.
fn changes(entry: &HistoryEntry, before: Option<&HistoryEntry>) -> String {
    let old = before.map(|e| e.modules.as_slice()).unwrap_or_default();
    let came = entry.modules.iter().filter(|module| !old.contains(module));
    let went = old
        .iter()
        .filter(|(name, _)| !entry.modules.iter().any(|(n, _)| n == name));
    let signed = |name: &String| match entry.signed_by.get(name) {
        Some(keys) => format!(" (signed by {})", printable(&keys.join(", "))),
        None => String::new(),
    };
    let parts: Vec<String> = came
        .map(|(name, version)| format!("+{} {}{}", printable(name), show::version(version), signed(name)))
        .chain(went.map(|(name, _)| format!("-{}", printable(name))))
        .collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_shows_what_it_changed() {
        let entry = |generation, modules: &[(&str, &str)]| HistoryEntry {
            generation,
            at: 0,
            by: "command".into(),
            action: "swap".into(),
            reason: None,
            modules: modules
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            signed_by: [("c".to_owned(), vec!["release".to_owned(), "ops".to_owned()])].into(),
        };
        let (first, second) = (entry(1, &[("a", "11"), ("b", "22")]), entry(2, &[("a", "33")]));
        assert_eq!(changes(&second, Some(&first)), "+a 33, -b");
        assert_eq!(changes(&first, None), "+a 11, +b 22");
        assert_eq!(
            changes(&entry(3, &[("c", "44")]), None),
            "+c 44 (signed by release, ops)"
        );
        assert_eq!(changes(&first, Some(&first)), "-");
        assert!(text(&[second, first]).lines().nth(1).expect("a row").starts_with("2 "));
    }
}
