//! Parameters that several methods have.

use stowage_sdk::{Error, is_identity};

/// The most identifiers of one call.
const MAX_IDENTIFIERS: usize = 1000;

/// Checks a platform of the API.
///
/// # Errors
/// 600 above 4.
pub(crate) fn platform(platform: u32) -> Result<u8, Error> {
    u8::try_from(platform)
        .ok()
        .filter(|platform| *platform <= 4)
        .ok_or_else(|| {
            Error::parameter(
                "platform",
                "a whole number from 0 to 4 (0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP)",
            )
        })
}

/// The identifiers of a parameter for one, or of a parameter for several. Each comes once.
///
/// # Errors
/// 600 if both or neither are there, or the list is empty or too long.
pub(crate) fn identifiers(
    one_field: &str,
    many_field: &str,
    one: Option<String>,
    many: Option<Vec<String>>,
) -> Result<Vec<String>, Error> {
    match (non_empty(one), many) {
        (Some(one), None) => Ok(vec![one]),
        (None, Some(many)) => {
            check_list(many_field, &many)?;
            Ok(once(many))
        }
        (Some(_), Some(_)) => Err(Error::parameter(
            many_field,
            &format!("either {one_field} or {many_field}, not both"),
        )),
        (None, None) => Err(Error::parameter(
            one_field,
            &format!("an identifier, or several in {many_field}"),
        )),
    }
}

/// The identifiers of a list, each once.
///
/// # Errors
/// 600 if the list is empty or too long.
pub(crate) fn list(field: &str, identifiers: Vec<String>) -> Result<Vec<String>, Error> {
    check_list(field, &identifiers)?;
    Ok(once(identifiers))
}

fn check_list(field: &str, identifiers: &[String]) -> Result<(), Error> {
    if (1..=MAX_IDENTIFIERS).contains(&identifiers.len()) {
        Ok(())
    } else {
        Err(Error::parameter(field, "a list of 1 to 1000 identifiers"))
    }
}

fn once(identifiers: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    identifiers
        .into_iter()
        .filter(|identifier| seen.insert(identifier.clone()))
        .collect()
}

/// Checks that the rows of the space can have this identity.
///
/// # Errors
/// 600 naming `field`.
pub(crate) fn check_identity(field: &str, text: &str) -> Result<(), Error> {
    if is_identity(text) && !text.contains('\0') {
        Ok(())
    } else {
        Err(Error::parameter(field, "1 to 480 bytes without NUL"))
    }
}

/// The text, if it is there and not empty.
pub(crate) fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn one_or_several_are_named_and_each_counts_once() {
        let named = |one: Option<&str>, many: Option<&[&str]>| {
            identifiers("taskId", "taskIds", one.map(str::to_owned), many.map(texts)).map_err(|error| {
                (
                    error.code,
                    error.message.split(':').next().unwrap_or_default().to_owned(),
                )
            })
        };
        assert_eq!(named(Some("a"), None), Ok(texts(&["a"])));
        assert_eq!(named(Some(""), Some(&["b", "a", "b"])), Ok(texts(&["b", "a"])));
        assert_eq!(named(None, None), Err((600, "taskId".to_owned())));
        assert_eq!(named(Some(""), None), Err((600, "taskId".to_owned())));
        assert_eq!(named(Some("a"), Some(&["b"])), Err((600, "taskIds".to_owned())));
        assert_eq!(named(None, Some(&[])), Err((600, "taskIds".to_owned())));
        assert!(named(None, Some(&vec!["x"; 1001])).is_err());
        assert_eq!(named(None, Some(&vec!["x"; 1000])), Ok(texts(&["x"])));
    }
}
