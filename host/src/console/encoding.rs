//! The encodings of a file, and which of them a client takes (RFC 9110, section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// How the bytes of a file are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
    /// As they are. Every client takes it.
    Identity,
}

impl Encoding {
    /// Its name in headers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Encoding::Brotli => "br",
            Encoding::Gzip => "gzip",
            Encoding::Identity => "identity",
        }
    }

    /// Whether a client takes it. Without the header, it takes no encoding.
    pub(super) fn is_accepted(self, request: &HeaderMap) -> bool {
        let values = request.get_all(ACCEPT_ENCODING).iter();
        let list = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|v| v.split(','));
        let (mut named, mut any) = (None, None);
        for item in list {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case(self.name()) {
                named = Some(is_wanted(weight));
            } else if name == "*" {
                any = Some(is_wanted(weight));
            }
        }
        named.or(any).unwrap_or(false)
    }
}

/// Whether a weight such as `q=0.5` is above 0. Only a client that is wrong sends another text; it
/// gets no encoding.
fn is_wanted(weight: &str) -> bool {
    let weight = weight.trim();
    if weight.is_empty() {
        return true;
    }
    let number = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="));
    number
        .and_then(|n| n.trim().parse::<f32>().ok())
        .is_some_and(|q| q > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(header: &str, encoding: Encoding) -> bool {
        let headers = [(ACCEPT_ENCODING, header.parse().expect("a header"))];
        encoding.is_accepted(&headers.into_iter().collect())
    }

    #[test]
    fn an_encoding_is_taken_if_it_is_named_with_a_weight() {
        for yes in [
            "br",
            "gzip, br",
            "BR",
            "br;q=0.001",
            "br ; q=1",
            "*",
            "gzip;q=0,*;q=0.5",
        ] {
            assert!(accepts(yes, Encoding::Brotli), "{yes}");
        }
        for no in [
            "",
            "gzip",
            "br;q=0",
            "br; q=0.000",
            "*, br;q=0",
            "br;q=many",
            "brotli",
            "*;q=0",
        ] {
            assert!(!accepts(no, Encoding::Brotli), "{no}");
        }
        assert!(!Encoding::Gzip.is_accepted(&HeaderMap::new()));
    }
}
