//! The header that carries the password of a file.

use http::header::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use stowage_transfer::Password;

use super::problem::Problem;

/// The header. Its value is percent-encoded UTF-8, as JavaScript's `encodeURIComponent` writes it.
pub(super) const FILE_PASSWORD: HeaderName = HeaderName::from_static("stowage-file-password");

/// The password of a request, if there is one.
pub(super) fn password_of(headers: &HeaderMap) -> Result<Option<Password>, Problem> {
    let mut values = headers.get_all(FILE_PASSWORD).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let decoded = value
        .to_str()
        .ok()
        .and_then(|text| percent_decode_str(text).decode_utf8().ok())
        .filter(|text| !text.is_empty());
    match decoded {
        Some(text) if values.next().is_none() => Ok(Some(Password::from(text.into_owned()))),
        _ => Err(Problem::parameter(
            "Stowage-File-Password: expected one password, in UTF-8 and percent-encoded".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn password(values: &[&'static [u8]]) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(FILE_PASSWORD, HeaderValue::from_bytes(value).unwrap());
        }
        Ok(password_of(&headers)?.map(|password| password.expose().to_owned()))
    }

    #[test]
    fn a_password_is_percent_encoded() {
        assert_eq!(password(&[]).unwrap(), None);
        assert_eq!(password(&[b"stowage"]).unwrap().as_deref(), Some("stowage"));
        assert_eq!(password(&[b"%E6%88%91%20%25"]).unwrap().as_deref(), Some("我 %"));
        for values in [&[&b""[..]][..], &[b"%FF"], &[b"\xe6\x88\x91"], &[b"a", b"a"]] {
            assert!(password(values).is_err(), "{values:?}");
        }
    }
}
