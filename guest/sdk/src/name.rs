//! Names of folders.

use crate::bindings::types::Error;

/// The longest name of a folder, in characters.
const MAX_NAME_CHARS: usize = 255;

/// Checks the name of a folder, and returns it trimmed.
///
/// # Errors
/// 600 naming `field`, if the name is empty, has more than 255 characters, or control characters.
pub fn folder_name<'a>(field: &str, name: &'a str) -> Result<&'a str, Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().nth(MAX_NAME_CHARS).is_some() || name.chars().any(char::is_control) {
        return Err(Error::parameter(
            field,
            "a name of 1 to 255 characters without control characters",
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_counted_in_characters() {
        assert_eq!(folder_name("name", " 图片\t\n").as_deref().ok(), Some("图片"));
        assert!(folder_name("name", &"图".repeat(255)).is_ok());
        assert!(folder_name("name", &"图".repeat(256)).is_err());
        assert!(folder_name("name", "👨‍👩‍👧 家").is_ok());
    }

    #[test]
    fn an_empty_name_and_control_characters_are_refused() {
        for name in ["", "  ", "\u{3000}", "a\0b", "a\nb", "a\u{85}b", "\u{7f}x"] {
            let error = folder_name("newName", name).expect_err("refused");
            assert_eq!(error.code, 600);
            assert!(error.message.starts_with("newName"));
        }
    }
}
