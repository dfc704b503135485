//! The errors of the API: a code and a message for a person.

use crate::bindings::cloud::CloudError;
use crate::bindings::types::Error;
use crate::size::size_text;

/// The codes of the API.
pub mod code {
    /// Storage or cloud failed.
    pub const FAILURE: i32 = 500;
    /// A parameter is wrong.
    pub const PARAMETER: i32 = 600;
    /// Another error.
    pub const OTHER: i32 = 700;
    /// No such folder.
    pub const NO_FOLDER: i32 = 60000;
    /// No such file.
    pub const NO_FILE: i32 = 60001;
    /// The name exists.
    pub const NAME_EXISTS: i32 = 60002;
    /// The default favourites folder cannot be deleted.
    pub const DEFAULT_FOLDER: i32 = 60003;
    /// Wrong file password.
    pub const WRONG_PASSWORD: i32 = 60004;
}

/// The most characters of a client's text that a message quotes.
const QUOTED_CHARS: usize = 64;

fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}

impl Error {
    /// 500: the disk, the space or the host failed.
    pub fn failure(why: &str) -> Self {
        Self {
            code: code::FAILURE,
            message: why.to_owned(),
        }
    }

    /// 600: a parameter is wrong. `field` is its name in JSON.
    ///
    /// The host refuses a number that its type cannot hold. Its message has the range that the WIT
    /// of the function documents (`` `page-size` is 1 to 1000 ``). Use the same words here: `a
    /// whole number from 1 to 1000`.
    pub fn parameter(field: &str, expected: &str) -> Self {
        Self {
            code: code::PARAMETER,
            message: format!("{field}: expected {expected}"),
        }
    }

    /// 60000: there is no folder with this identity.
    pub fn no_folder(identity: &str) -> Self {
        Self {
            code: code::NO_FOLDER,
            message: format!("the folder {} does not exist", quoted(identity)),
        }
    }

    /// 60001: there is no file with this identity or hash.
    pub fn no_file(identity: &str) -> Self {
        Self {
            code: code::NO_FILE,
            message: format!("the file {} does not exist", quoted(identity)),
        }
    }

    /// 60001: there is no task with this identifier.
    pub fn no_task(identifier: &str) -> Self {
        Self {
            code: code::NO_FILE,
            message: format!("the task {} does not exist", quoted(identifier)),
        }
    }

    /// 60001: the blob is among the temp files of this machine, not in the space.
    pub fn only_here(hash: &str) -> Self {
        Self {
            code: code::NO_FILE,
            message: format!(
                "the file {} is on this machine only; upload it with localTempFileToStorage, localTempFileToFavorite \
                 or uploadFile",
                quoted(hash)
            ),
        }
    }

    /// 700: the space has no room for this many bytes.
    pub fn no_room(bytes: u64, remaining: u64) -> Self {
        Self {
            code: code::OTHER,
            message: format!(
                "the space has no room: {} are needed, {} are left",
                size_text(bytes),
                size_text(remaining)
            ),
        }
    }

    /// 60002: a folder has this name.
    pub fn name_exists(name: &str) -> Self {
        Self {
            code: code::NAME_EXISTS,
            message: format!("the name {} already exists", quoted(name)),
        }
    }

    /// 60003: the default favourites folder cannot be deleted.
    pub fn default_folder() -> Self {
        Self {
            code: code::DEFAULT_FOLDER,
            message: "the default favourites folder cannot be deleted".to_owned(),
        }
    }

    /// 60004: the password does not open the file.
    pub fn wrong_password() -> Self {
        Self {
            code: code::WRONG_PASSWORD,
            message: "the file's password is missing or wrong".to_owned(),
        }
    }
}

impl From<CloudError> for Error {
    fn from(error: CloudError) -> Self {
        let message = match error {
            CloudError::Unreachable(why) => format!("the cloud space cannot be reached: {why}"),
            CloudError::Missing(what) => format!("the cloud space lacks {what}"),
            CloudError::Malformed(what) => format!("the cloud space is malformed: {what}"),
        };
        Self {
            code: code::FAILURE,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_error_names_the_field_and_what_was_expected() {
        let error = Error::parameter("pageSize", "a whole number from 1 to 1000");
        assert_eq!(error.code, 600);
        assert_eq!(error.message, "pageSize: expected a whole number from 1 to 1000");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let error = Error::name_exists(&"图".repeat(300));
        assert!(error.message.chars().count() < 120);
    }
}
