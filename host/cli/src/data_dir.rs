//! Where the data directory is when nobody says.

use std::ffi::OsString;
use std::path::PathBuf;

/// The file in the data directory that tells where the running server listens.
pub const SERVER_FILE: &str = "server.json";

/// The file in the data directory that holds the admin API's token.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";

/// The folder in the data directory that is the space when no other is named.
pub const SPACE_DIR: &str = "space";

/// The platform's data directory for Stowage, or `None` where the environment names no home.
///
/// Linux and other Unix: `$XDG_DATA_HOME/stowage`, else `~/.local/share/stowage`. macOS: `~/Library/Application
/// Support/Stowage`. Windows: `%LOCALAPPDATA%\Stowage`.
#[must_use]
pub fn default_data_dir() -> Option<PathBuf> {
    from_environment(|name| std::env::var_os(name))
}

fn from_environment(get: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // Relative values are to be ignored, says the XDG base directory specification; the same caution suits the others.
    let absolute = |name: &str| get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA").map(|base| base.join("Stowage"));
    }
    if cfg!(target_os = "macos") {
        return absolute("HOME").map(|home| home.join("Library/Application Support/Stowage"));
    }
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("stowage"))
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    fn with(variables: &'static [(&'static str, &'static str)]) -> Option<PathBuf> {
        from_environment(|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn xdg_data_home_comes_before_home() {
        let found = with(&[("HOME", "/home/li"), ("XDG_DATA_HOME", "/srv/state")]);
        assert_eq!(found, Some(PathBuf::from("/srv/state/stowage")));
    }

    #[test]
    fn a_relative_xdg_data_home_is_ignored() {
        let found = with(&[("HOME", "/home/li"), ("XDG_DATA_HOME", "state")]);
        assert_eq!(found, Some(PathBuf::from("/home/li/.local/share/stowage")));
    }

    #[test]
    fn without_a_home_there_is_no_default() {
        assert_eq!(with(&[]), None);
    }
}
