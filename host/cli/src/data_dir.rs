//! The default data directory, and the names of files in it.

use std::ffi::OsString;
use std::path::PathBuf;

/// The file in the data directory with the address of the running server.
pub const SERVER_FILE: &str = "server.json";

/// The file in the data directory with the token of the admin API.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";

/// The folder in the data directory with the default space.
pub const SPACE_DIR: &str = "space";

/// The data directory of the platform, or `None` if the environment names no home directory.
///
/// Linux and other Unix: `$XDG_DATA_HOME/stowage`, else `~/.local/share/stowage`. macOS:
/// `~/Library/Application Support/Stowage`. Windows: `%LOCALAPPDATA%\Stowage`.
#[must_use]
pub fn default_data_dir() -> Option<PathBuf> {
    from_environment(|name| std::env::var_os(name))
}

fn from_environment(get: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    // Relative values are ignored, as the XDG base directory specification says.
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
