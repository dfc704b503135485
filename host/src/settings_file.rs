//! The settings file: a TOML table whose keys are the names of the flags. Each value has to be what
//! its flag takes. All faults are told, each with its line, column, key and what was expected.

use std::ffi::OsString;
use std::fmt;

use clap::Args as _;
use toml::de::DeTable;

use crate::settings::Settings;

/// What is wrong with a settings file, in the order of its lines. There is at least one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Faults(Vec<Fault>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    /// From 1.
    line: usize,
    /// From 1, in characters.
    column: usize,
    /// The setting; empty for a file that is no TOML.
    key: String,
    reason: String,
}

impl Faults {
    /// One line a fault, each with the name of the file before it.
    pub(crate) fn lines<'a>(&'a self, file: impl fmt::Display + 'a) -> impl Iterator<Item = String> + 'a {
        self.0.iter().map(move |fault| format!("{file}:{fault}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            line,
            column,
            key,
            reason,
        } = self;
        match key.is_empty() {
            true => write!(f, "{line}:{column}: {reason}"),
            false => write!(f, "{line}:{column}: {key}: {reason}"),
        }
    }
}

/// The settings of a file's text.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Settings, Faults> {
    let no_toml = |error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        Faults(vec![fault(text, at, "", error.message())])
    };
    let places = DeTable::parse(text).map_err(no_toml)?;
    let values: toml::Table = toml::from_str(text).map_err(no_toml)?;
    let known = Settings::augment_args(clap::Command::new("settings").no_binary_name(true));
    let mut faults = Vec::new();
    for (key, place) in places.get_ref() {
        let name: &str = key.get_ref().as_ref();
        let flag = known.get_arguments().find(|arg| arg.get_long() == Some(name));
        let (Some(flag), Some(value)) = (flag, values.get(name)) else {
            let reason = "no setting is called so; `stowage serve --help` lists all of them";
            faults.push(fault(text, key.span().start, name, reason));
            continue;
        };
        if let Err(reason) = check(&known, flag, value) {
            faults.push(fault(text, place.span().start, name, &reason));
        }
    }
    faults.sort_by_key(|fault| (fault.line, fault.column));
    match faults.is_empty() {
        // Each value was read by itself already.
        true => values.try_into().map_err(no_toml),
        false => Err(Faults(faults)),
    }
}

/// Reads one value as the file and as the flag would.
fn check(known: &clap::Command, flag: &clap::Arg, value: &toml::Value) -> Result<(), String> {
    let name = flag.get_long().unwrap_or_default();
    let of_the_flag = known
        .clone()
        .mut_args(|arg| arg.env(None::<&str>))
        .try_get_matches_from(words(name, value))
        .map(drop)
        .map_err(|error| expected(&error));
    let single = toml::Table::from_iter([(name.to_owned(), value.clone())]);
    let of_the_file = single.try_into::<Settings>().map(drop);
    let reason = match (of_the_flag, of_the_file) {
        (Ok(()), Ok(())) => return Ok(()),
        (Err(Some(reason)), _) => reason,
        (_, Err(error)) => error.message().to_owned(),
        (Err(None), Ok(())) => "expected another value".to_owned(),
    };
    // The message of a secret's type would quote it.
    Err(match flag.is_hide_env_values_set() {
        true => "expected a text".to_owned(),
        false => format!("{reason}{}", found(&reason, value)),
    })
}

/// The arguments that mean the same as a key with this value. There are none for a table.
fn words(name: &str, value: &toml::Value) -> Vec<OsString> {
    let word = |text: String| OsString::from(format!("--{name}={text}"));
    match value {
        toml::Value::String(text) => vec![word(text.clone())],
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => vec![word(value.to_string())],
        toml::Value::Array(items) => items.iter().flat_map(|item| words(name, item)).collect(),
        toml::Value::Datetime(_) | toml::Value::Table(_) => Vec::new(),
    }
}

/// What a flag expects, by its error. None if the error does not say.
pub(crate) fn expected(error: &clap::Error) -> Option<String> {
    let text = error.to_string();
    let first = text.lines().next()?;
    let (_, reason) = first.split_once(">': ").or_else(|| first.split_once("]': "))?;
    Some(reason.to_owned())
}

/// The value, for a reason that does not have it.
fn found(reason: &str, value: &toml::Value) -> String {
    let text = value.to_string();
    let is_told = ["invalid type", "invalid value"]
        .iter()
        .any(|start| reason.starts_with(start));
    let is_told = is_told || reason.contains("found ");
    match is_told || text.len() > 100 || matches!(value, toml::Value::Table(_) | toml::Value::Array(_)) {
        true => String::new(),
        false => format!(", found {text}"),
    }
}

fn fault(text: &str, at: usize, key: &str, reason: &str) -> Fault {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Fault {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        key: key.to_owned(),
        // On one line, whatever the parser says.
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        match parse(text) {
            Ok(settings) => panic!("{text}: {settings:?}"),
            Err(faults) => faults.lines("f").collect(),
        }
    }

    /// A value for each setting that has a rule of its own, and what is told about wrong ones.
    const WRONG: [(&str, &str, &str); 21] = [
        ("listen", "\"nowhere\"", "nowhere"),
        ("listen", "8787", "8787"),
        ("space", "\"s3:// bucket\"", "expected a directory or a URL"),
        ("space", "\"\"", "expected a directory or a URL"),
        ("demo", "\"perhaps\"", "perhaps"),
        ("no-console", "3", "3"),
        ("allow-host", "\"one\"", "sequence"),
        ("max-connections", "0", "a whole number from 1 to 1000000, found 0"),
        ("max-calls", "0", "a whole number from 1 to 4096, found 0"),
        ("max-calls", "4097", "a whole number from 1 to 4096, found 4097"),
        ("max-calls", "-1", "a whole number from 1 to 4096, found -1"),
        ("max-calls", "1.5", "a whole number from 1 to 4096, found 1.5"),
        ("max-calls", "\"9\"", "string"),
        ("max-transfers", "257", "from 1 to 256, found 257"),
        ("reuse", "1000001", "from 0 to 1000000, found 1000001"),
        ("cpu-ms", "0", "from 1 to 3600000, found 0"),
        ("wall-ms", "86400001", "from 1 to 86400000, found 86400001"),
        ("memory-mib", "1", "from 2 to 4095, found 1"),
        ("cache-mib", "0", "from 1 to 1048576, found 0"),
        ("response-cache-mib", "1048577", "from 0 to 1048576, found 1048577"),
        ("drain-seconds", "86401", "from 0 to 86400, found 86401"),
    ];

    #[test]
    fn a_wrong_value_is_told_with_its_place_its_key_and_what_was_expected() {
        for (key, value, words) in WRONG {
            let told = faults(&format!("# a comment\n{key} = {value}\n"));
            assert_eq!(told.len(), 1, "{told:?}");
            let place = format!("f:2:{}: {key}: ", key.len() + 4);
            assert!(told[0].starts_with(&place), "{}: expected {place}", told[0]);
            assert!(told[0].contains(words), "{}: expected {words}", told[0]);
        }
    }

    #[test]
    fn each_setting_refuses_a_value_of_another_type_and_each_number_has_a_range() {
        let known = Settings::augment_args(clap::Command::new("settings"));
        for flag in known.get_arguments().filter_map(clap::Arg::get_long) {
            let told = faults(&format!("{flag} = {{ x = 1 }}"));
            assert!(
                told[0].starts_with(&format!("f:1:{}: {flag}: ", flag.len() + 4)),
                "{told:?}"
            );
            let is_number = parse(&format!("{flag} = 3")).is_ok();
            if is_number {
                for value in ["9223372036854775807", "-1"] {
                    let told = faults(&format!("{flag} = {value}"));
                    assert!(
                        told[0].contains("expected a whole number from "),
                        "give --{flag} a range with `value_parser = whole(LEAST, MOST)`: {told:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn all_faults_are_told_in_the_order_of_the_lines() {
        let told = faults("reuse = -1\n\n  lisen = 1\nmax-calls = 0\n[section]\nx = 1\n");
        let places: Vec<_> = told
            .iter()
            .map(|line| line.split(": ").take(2).collect::<Vec<_>>())
            .collect();
        assert_eq!(
            places,
            [
                ["f:1:9", "reuse"],
                ["f:3:3", "lisen"],
                ["f:4:13", "max-calls"],
                ["f:5:2", "section"]
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place() {
        for (text, place) in [
            ("reuse = 1\nnot toml", "f:2:"),
            ("数 = ", "f:1:"),
            ("reuse = 1\nreuse = 2", "f:2:1: "),
            ("reuse = [1", "f:1:"),
        ] {
            let told = faults(text);
            assert!(told[0].starts_with(place), "{text}: {told:?}");
            assert!(!told[0].contains('\n'), "{told:?}");
        }
    }

    #[test]
    fn a_secret_is_not_told() {
        for text in ["token = 12345678901", "token = { a = 12345678901 }"] {
            let told = faults(text).join(" ");
            assert!(
                told.contains("token: expected a text") && !told.contains("123456"),
                "{told}"
            );
        }
    }

    #[test]
    fn good_values_are_read() {
        let text =
            "listen = \"127.0.0.1:1\"\ndemo = true\nallow-host = [\"a\", \"b\"]\nmax-calls = 4096\nspace = \"./x y\"";
        let settings = parse(text).expect("good");
        assert_eq!((settings.max_calls, settings.demo), (Some(4096), Some(true)));
        assert_eq!(settings.allow_host, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert!(parse("").is_ok());
    }
}
