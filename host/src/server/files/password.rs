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
        .filter(|text| is_encoded(text))
        .and_then(|text| percent_decode_str(text).decode_utf8().ok())
        .filter(|text| !text.is_empty());
    match decoded {
        Some(text) if values.next().is_none() => Ok(Some(Password::from(text.into_owned()))),
        _ => Err(Problem::parameter(
            "Stowage-File-Password: expected one password, in UTF-8 and percent-encoded".to_owned(),
        )),
    }
}

/// Whether each `%` begins two hex digits. Otherwise the client has not encoded its password.
fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        rest.as_bytes()
            .get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
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
        for values in [
            &[&b""[..]][..],
            &[b"%FF"],
            &[b"50%"],
            &[b"%ZZ"],
            &[b"\xe6\x88\x91"],
            &[b"a", b"a"],
        ] {
            assert!(password(values).is_err(), "{values:?}");
        }
    }
}
