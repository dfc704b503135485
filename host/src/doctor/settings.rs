//! The check of the settings: flags, `STOWAGE_*` variables and the settings file.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::verdict::Verdict;
use crate::serve::check_network;
use crate::settings::Settings;

const ID: &str = "settings";

/// The variable that names the settings file.
const CONFIG: &str = "STOWAGE_CONFIG";

/// Variables that are no settings of the server. A name that ends with `_` is a prefix.
const OTHER_VARIABLES: [&str; 7] = [
    CONFIG,
    "STOWAGE_CA",
    "STOWAGE_LOG",
    "STOWAGE_ADMIN_TOKEN",
    "STOWAGE_FILE_PASSWORD",
    "STOWAGE_HTTP_",
    "STOWAGE_COMPLETE",
];

/// Reads all settings. What is wrong with a source is in the verdict, and its setting is left out.
pub(super) fn check(flags: Settings, config: Option<PathBuf>) -> (Settings, Verdict) {
    let variables: Vec<_> = std::env::vars_os().collect();
    examine(flags, config, variables)
}

fn examine(flags: Settings, config: Option<PathBuf>, variables: Vec<(OsString, OsString)>) -> (Settings, Verdict) {
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let (environment, mut errors) = Settings::from_environment(value);
    let config = config.or_else(|| value(CONFIG).map(PathBuf::from));
    let file = match config.as_deref().map(Settings::read).transpose() {
        Ok(file) => file.unwrap_or_default(),
        Err(error) => {
            errors.extend(format!("{error:#}").lines().map(str::to_owned));
            Settings::default()
        }
    };
    let settings = flags.over(environment).over(file);
    if let Err(error) = check_network(&settings) {
        errors.push(format!("{error:#}"));
    }
    let unknown = unknown_variables(variables.iter().map(|(name, _)| name.as_os_str()));
    let from = config.map_or_else(
        || "from flags and variables".to_owned(),
        |config| format!("from flags, variables and {}", config.display()),
    );
    let verdict = if !errors.is_empty() {
        Verdict::error(
            ID,
            errors.join("; "),
            "correct the setting; `stowage serve --help` lists all of them",
        )
    } else if !unknown.is_empty() {
        Verdict::warning(
            ID,
            format!("no setting is called {}", unknown.join(", ")),
            "check the variable for a typing error; `stowage serve --help` lists all of them",
        )
    } else {
        Verdict::ok(ID, from)
    };
    (settings, verdict)
}

/// Those of these variables that look like a setting and are none.
pub(crate) fn unknown_variables<'a>(names: impl Iterator<Item = &'a OsStr>) -> Vec<&'a str> {
    let known = Settings::variables();
    names
        .filter_map(OsStr::to_str)
        .filter(|name| name.starts_with("STOWAGE_") && !is_other(name) && known.iter().all(|known| known != name))
        .collect()
}

fn is_other(name: &str) -> bool {
    OTHER_VARIABLES.iter().any(|known| match known.ends_with('_') {
        true => name.starts_with(known),
        false => name == *known,
    })
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Outcome;
    use super::*;

    fn with(variables: &[(&str, &str)], config: Option<&str>) -> (Settings, Verdict) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = config.map(|text| {
            let file = dir.path().join("stowage.toml");
            std::fs::write(&file, text).expect("writable");
            file
        });
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        examine(Settings::default(), file, variables.collect())
    }

    #[test]
    fn good_settings_are_merged_from_all_sources() {
        let (settings, verdict) = with(
            &[
                ("STOWAGE_REUSE", "3"),
                ("STOWAGE_LOG", "debug"),
                ("STOWAGE_HTTP_X", "y"),
            ],
            Some("reuse = 4\ncpu-ms = 9"),
        );
        assert_eq!(verdict.outcome, Outcome::Ok, "{verdict:?}");
        assert_eq!((settings.reuse, settings.cpu_ms), (Some(3), Some(9)));
    }

    #[test]
    fn a_bad_setting_is_named_with_its_source() {
        for (variables, config, words) in [
            (
                &[("STOWAGE_LISTEN", "nowhere")][..],
                None,
                &["STOWAGE_LISTEN", "nowhere"][..],
            ),
            (&[("STOWAGE_MAX_CALLS", "-1")], None, &["STOWAGE_MAX_CALLS", "-1"]),
            (&[], Some("reuse = 1\n\nlisen = \"x\""), &["stowage.toml:3:1: lisen: "]),
            (
                &[],
                Some("reuse = \"many\""),
                &["stowage.toml:1:9: reuse: expected a whole number from 0 to 1000000, found \"many\""],
            ),
            (&[("STOWAGE_LISTEN", "0.0.0.0:1")], None, &["0.0.0.0:1", "token"]),
            (&[("STOWAGE_CONFIG", "/nowhere/x.toml")], None, &["/nowhere/x.toml"]),
        ] {
            let (_, verdict) = with(variables, config);
            assert_eq!(verdict.outcome, Outcome::Error, "{verdict:?}");
            for word in words {
                assert!(verdict.found.contains(word), "{word}: {verdict:?}");
            }
        }
    }

    #[test]
    fn a_variable_that_is_no_setting_is_a_warning() {
        let (_, verdict) = with(&[("STOWAGE_LISEN", "127.0.0.1:1")], None);
        assert_eq!(verdict.outcome, Outcome::Warning);
        assert!(verdict.found.contains("STOWAGE_LISEN"), "{verdict:?}");
    }
}
