//! Writes the results into the table of docs/reliability.md.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::catalogue::{ALL, Check, How};
use super::results::Results;

/// Where the table begins and ends in the document.
const BEGIN: &str = "<!-- table of `torture report`: begin -->";
const END: &str = "<!-- table of `torture report`: end -->";

/// Writes the table between its marks.
///
/// # Errors
/// The document or the results cannot be read, or the document lacks the marks.
pub fn write(dir: &Path) -> anyhow::Result<()> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let shown = document.display();
    let text = fs::read_to_string(&document).with_context(|| format!("the document {shown}"))?;
    let results = Results::in_dir(dir)?;
    let table = table(&results);
    let text = between(&text, &table).with_context(|| format!("{shown} lacks the line `{BEGIN}` or `{END}`"))?;
    fs::write(&document, text).with_context(|| format!("the document {shown}"))?;
    eprintln!("{shown} is written");
    Ok(())
}

/// The document with another table.
fn between(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

fn table(results: &Results) -> String {
    let mut table = "| id | what | target | measured | | date |\n|---|---|---|---|---|---|\n".to_owned();
    let mut machines = Vec::new();
    for check in ALL {
        let last = results.last(check.id);
        if let Some(machine) = last.as_ref().and_then(|line| line["machine"].as_str())
            && !machines.contains(&machine.to_owned())
        {
            machines.push(machine.to_owned());
        }
        table.push_str(&row(check, last.as_ref()));
    }
    if !machines.is_empty() {
        table.push_str(&format!("\nMachine: {}.\n", machines.join("; ")));
    }
    table
}

fn row(check: &Check, last: Option<&Value>) -> String {
    let text = |field: &str| {
        last.map_or("", |line| line[field].as_str().unwrap_or_default())
            .replace('|', "\\|")
    };
    let (measured, verdict, date) = match (check.how, last) {
        (How::Absent(reason), _) => (reason.to_owned(), "left out", String::new()),
        (_, None) => (String::new(), "not run", String::new()),
        (_, Some(line)) => {
            let verdict = match (line["passed"] == true, line["skipped"] == true) {
                (true, _) => "passed",
                (false, true) => "skipped",
                (false, false) => "failed",
            };
            (text("measured").replace('\n', " "), verdict, text("date"))
        }
    };
    format!(
        "| {} | {} | {} | {measured} | {verdict} | {date} |\n",
        check.id, check.title, check.target
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_replaced_and_the_rest_stays() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = between(&text, "new\n").expect("it has the marks");
        assert_eq!(new, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(between(&new, "new\n").expect("it has the marks"), new);
        assert_eq!(between("no marks", "new"), None);
    }
}
