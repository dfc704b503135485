//! Removes credentials from the URLs in error texts.

use std::error::Error as StdError;
use std::fmt;

/// Characters that end a URL in a text. A URL cannot contain them.
const ENDS: &[char] = &['"', '<', '>', '`'];
/// Characters after a URL that belong to the sentence around it.
const PUNCTUATION: &[char] = &['.', ',', ';', ':', '!', ')', ']', '}', '\''];

/// The text, with every URL in it without user, password and query.
pub(crate) fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || ENDS.contains(&c))
            .unwrap_or(after.len());
        let authority_end = after[..end].find(['/', '\\', '?', '#']).unwrap_or(end);
        let host = after[..authority_end].rfind('@').map_or(0, |at| at + 1);
        out.push_str(&after[host..authority_end]);
        let tail = &after[authority_end..end];
        let query = tail.find('?');
        rest = match (query, tail.find("://")) {
            (Some(query), next) if next.is_none_or(|next| query < next) => {
                out.push_str(&tail[..query]);
                &after[authority_end + tail.trim_end_matches(PUNCTUATION).len().max(query)..]
            }
            _ => &after[authority_end..],
        };
    }
    out.push_str(rest);
    out
}

/// The texts of an error and its causes, after [`redacted`]. The error itself is not kept, because
/// its `Debug` shows the credentials.
pub(crate) struct Redacted {
    text: String,
    cause: Option<Box<Redacted>>,
}

impl Redacted {
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        // From the last cause to the first, so that a long chain does not recurse.
        let chain: Vec<_> = std::iter::successors(Some(error), |&error| error.source()).collect();
        let cause = chain[1..].iter().rev().fold(None, |cause, error| {
            Some(Box::new(Self {
                text: redacted(&error.to_string()),
                cause,
            }))
        });
        Self {
            text: redacted(&error.to_string()),
            cause,
        }
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl StdError for Redacted {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_user_password_and_query_and_the_text_around_them_stays() {
        for (text, expected) in [
            (
                "Error performing GET http://user:SECRET@host:8014/x/y?sig=SECRET&z=1 in 3s, after 2 retries",
                "Error performing GET http://host:8014/x/y in 3s, after 2 retries",
            ),
            (
                "error sending request for url (https://h/x?sig=SECRET): closed",
                "error sending request for url (https://h/x): closed",
            ),
            ("\"https://SECRET@h\"", "\"https://h\""),
            ("https://a:SECRET@SECRET@h/b@c", "https://h/b@c"),
            ("http://h?SECRET", "http://h"),
            ("http://h?SECRET).", "http://h)."),
            (
                "http://h/a?u=http://SECRET x http://u:SECRET@h/",
                "http://h/a x http://h/",
            ),
            ("http://h/a,http://u:SECRET@h/b?SECRET", "http://h/a,http://h/b"),
            ("http://[::1]:80/x?é=SECRET ü", "http://[::1]:80/x ü"),
            ("http://h/?", "http://h/"),
            ("a?b c://", "a?b c://"),
            (
                "s3://bucket/prefix: user@host asked why?",
                "s3://bucket/prefix: user@host asked why?",
            ),
            ("", ""),
        ] {
            assert_eq!(redacted(text), expected, "{text}");
        }
    }

    #[test]
    fn causes_are_kept_and_redacted_as_well() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer http://u:SECRET@h/")]
        struct Outer(#[source] std::io::Error);
        let error = Redacted::of(&Outer(std::io::Error::other("inner http://h/?SECRET")));
        assert_eq!(error.to_string(), "outer http://h/");
        assert_eq!(error.source().expect("a cause").to_string(), "inner http://h/");
        assert!(!format!("{error:?}").contains("SECRET"));
    }
}
