//! Keywords: substrings, compared with Unicode simple case folding.

/// Separates the texts of a row. It is not a byte of UTF-8, so no keyword matches across it.
const SEPARATOR: u8 = 0xFF;

/// A keyword of a search, or none.
#[derive(Debug, Clone, Default)]
pub struct Keyword(Option<Vec<u8>>);

impl Keyword {
    /// Folds a keyword. An empty or absent keyword matches everything.
    pub fn new(keyword: Option<&str>) -> Self {
        Self(
            keyword
                .filter(|keyword| !keyword.is_empty())
                .map(|keyword| folded(keyword).into_bytes()),
        )
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

/// The text with Unicode simple case folding.
pub fn folded(text: &str) -> String {
    text.chars()
        .map(|c| {
            unicode_case_mapping::case_folded(c)
                .and_then(|folded| char::from_u32(folded.get()))
                .unwrap_or(c)
        })
        .collect()
}

/// The searchable text of a row: its texts, folded and separated.
pub fn searchable(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    for text in texts.iter().filter(|text| !text.is_empty()) {
        if !bytes.is_empty() {
            bytes.push(SEPARATOR);
        }
        bytes.extend_from_slice(folded(text).as_bytes());
    }
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
        assert!(matches("straẞe", &["STRAßE"]), "one character folds to one");
        assert!(matches("图片", &["我的图片.png"]));
        assert!(!matches("图书", &["我的图片.png"]));
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
        assert!(!Keyword::new(Some(" ")).is_empty());
    }
}
