//! Keywords: substrings, compared in Unicode's form `NFKC_Casefold` ([`folded`]).

use crate::fold::folded;

/// Separates the texts of a row. It is not a byte of UTF-8, so no keyword matches across it.
const SEPARATOR: u8 = 0xFF;

/// The most bytes of a searchable text. With three index entries a row, all stays within what
/// storage accepts.
const MAX_TEXT_BYTES: usize = 6 << 20;

/// A keyword of a search, or none.
#[derive(Debug, Clone, Default)]
pub struct Keyword(Option<Vec<u8>>);

impl Keyword {
    /// Folds a keyword, without white space at its ends. A keyword of which nothing is left, or an
    /// absent one, matches everything.
    pub fn new(keyword: Option<&str>) -> Self {
        let folded = folded(keyword.unwrap_or_default().trim());
        Self(Some(folded.into_bytes()).filter(|folded| !folded.is_empty()))
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The bytes that a [`searchable`] text must contain.
    pub(crate) fn needle(&self) -> Option<Vec<u8>> {
        self.0.clone()
    }
}

/// The searchable text of a row: its texts, folded and separated, at most 6 MiB.
pub fn searchable(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    for text in texts.iter().filter(|text| !text.is_empty()) {
        if !bytes.is_empty() {
            bytes.push(SEPARATOR);
        }
        bytes.extend_from_slice(folded(text).as_bytes());
    }
    bytes.truncate(MAX_TEXT_BYTES);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(keyword: &str, texts: &[&str]) -> bool {
        match Keyword::new(Some(keyword)).needle() {
            Some(needle) => searchable(texts).windows(needle.len()).any(|part| part == needle),
            None => true,
        }
    }

    #[test]
    fn case_is_ignored_in_every_script() {
        assert!(matches("JPG", &["photo.jpg"]));
        assert!(matches("photo", &["PHOTO.JPG"]));
        assert!(matches("ПРИВЕТ", &["привет.txt"]));
        assert!(matches("σας", &["ΓΕΙΑ ΣΑΣ"]), "final sigma folds as sigma does");
        assert!(matches("图片", &["我的图片.png"]));
        assert!(!matches("图书", &["我的图片.png"]));
    }

    #[test]
    fn forms_of_one_text_match() {
        assert!(matches("strasse", &["Straße 5"]) && matches("straße", &["STRASSE"]));
        assert!(matches("café", &["Le Cafe\u{301}"]) && matches("cafe\u{301}", &["Le café"]));
        assert!(matches("abc123", &["ＡＢＣ１２３.txt"]) && matches("ＡＢＣ", &["xabcx"]));
        assert!(!matches("cafe", &["café"]), "accents count");
        assert!(matches("한", &["\u{1112}\u{1161}\u{11ab}"]));
    }

    #[test]
    fn nothing_matches_across_two_texts() {
        assert!(!matches("ab", &["a", "b"]));
        assert!(matches("b", &["a", "b"]));
        assert!(matches("b", &["", "b"]));
    }

    #[test]
    fn an_empty_keyword_matches_everything() {
        assert!(Keyword::new(None).is_empty());
        assert!(Keyword::new(Some("")).is_empty());
        assert!(Keyword::new(Some(" \u{3000}\t")).is_empty());
        assert!(Keyword::new(Some("\u{200b}")).is_empty(), "nobody sees it");
    }

    #[test]
    fn white_space_at_the_ends_does_not_count() {
        assert!(matches(" photo\n", &["photo.jpg"]));
        assert!(!matches("ph oto", &["photo.jpg"]), "inside it does");
    }
}
