//! The form in which texts are compared: Unicode's `NFKC_Casefold`.

use std::borrow::Cow;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{ChangesWhenNfkcCasefolded, DefaultIgnorableCodePoint};
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};

/// How many times longer a folded text may be than the text. No canonical decomposition exceeds it,
/// but a few single characters stand for whole phrases.
const MAX_GROWTH: usize = 3;

/// A folded text may always have this many bytes.
const ENOUGH_BYTES: usize = 1024;

const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const CASES: CaseMapperBorrowed<'static> = CaseMapper::new();
const CHANGING: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<ChangesWhenNfkcCasefolded>();
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();

/// The text in Unicode's form `NFKC_Casefold`: without differences of case, of composition, of
/// width, and without characters that nobody sees.
///
/// A text of phrases in single characters (`㍿`, `ﷺ`) is cut at three times its length and 1 KiB
/// more: its index entries could exceed what a call may write.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let limit = MAX_GROWTH * text.len() + ENOUGH_BYTES;
    let mut mapped = String::with_capacity(text.len() + text.len() / 2);
    for c in NFKD.normalize_iter(text.chars()) {
        if mapped.len() + c.len_utf8() > limit {
            break;
        }
        if c.is_ascii() {
            mapped.push(c.to_ascii_lowercase());
        } else if CHANGING.contains(c) {
            push_folded(c, &mut mapped);
        } else {
            mapped.push(c);
        }
    }
    let composed = match NFC.normalize(&mapped) {
        Cow::Owned(composed) => Some(composed),
        Cow::Borrowed(_) => None,
    };
    composed.unwrap_or(mapped)
}

/// Appends what a character becomes when case folding, decomposition and the removal of ignorable
/// characters are repeated until nothing changes.
fn push_folded(c: char, to: &mut String) {
    let simple = CASES.simple_fold(c);
    // Nearly every letter. If its full folding differs, the simple one changes again.
    if simple != c && !CHANGING.contains(simple) {
        to.push(simple);
        return;
    }
    let mut text = String::from(c);
    loop {
        let cased = CASES.fold_string(&text);
        let next: String = NFKD
            .normalize_iter(cased.chars())
            .filter(|c| !IGNORABLE.contains(*c))
            .collect();
        if next == text {
            to.push_str(&text);
            return;
        }
        text = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();

    /// The property `NFKC_Casefold` of a character, as the Unicode Character Database derives it.
    fn by_definition(c: char) -> String {
        let mut text = String::from(c);
        loop {
            let cased = CASES.fold_string(&text).into_owned();
            let next: String = NFKC
                .normalize(&cased)
                .chars()
                .filter(|c| !IGNORABLE.contains(*c))
                .collect();
            if next == text {
                return text;
            }
            text = next;
        }
    }

    #[test]
    fn every_character_folds_as_unicode_defines_it() {
        for c in ('\0'..=char::MAX).filter(|c| CHANGING.contains(*c) || !NFKC.is_normalized(&c.to_string())) {
            assert_eq!(folded(&c.to_string()), by_definition(c), "{}", c.escape_unicode());
        }
        // The others do not change. Most ideographs and syllables are left out to save time.
        for c in ('\0'..='\u{33ff}')
            .chain('\u{f900}'..='\u{1ffff}')
            .filter(|c| !CHANGING.contains(*c))
        {
            assert_eq!(by_definition(c), c.to_string(), "{}", c.escape_unicode());
        }
    }

    #[test]
    fn forms_of_one_text_are_equal() {
        for forms in [
            &["Café", "CAFE\u{301}", "cafe\u{301}", "ｃａｆé"][..],
            &["Straße", "STRASSE", "STRAẞE", "straße"],
            &["ABC123", "ＡＢＣ１２３", "ⓐⓑⓒ①②③", "𝐀𝐛𝓒𝟏𝟐𝟑"],
            &["ﬁle", "FILE"],
            &["ΓΕΙΑ ΣΑΣ", "γεια σας", "γεια σασ"],
            &["ﾊﾟｰﾃｨｰ", "パーティー", "ハ\u{309a}ーティー"],
            &["한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"],
            &["株式会社", "㍿"],
            &["photo", "pho\u{200b}to", "\u{feff}pho\u{ad}to", "photo\u{fe0f}"],
            &["a b", "a\u{a0}b", "a\u{3000}b"],
            &["ᾳ", "ΑΙ", "α\u{345}", "\u{1fbc}"],
            // A canonical sequence in either order of its marks.
            &["ᾴ", "α\u{301}\u{345}", "α\u{345}\u{301}"],
            &["Å", "Å", "A\u{30a}"],
        ] {
            for form in forms {
                assert_eq!(folded(form), folded(forms[0]), "{form} and {}", forms[0]);
            }
        }
    }

    #[test]
    fn different_texts_stay_different() {
        for (a, b) in [("café", "cafe"), ("i", "ı"), ("图", "圖"), ("a b", "ab"), ("は", "ば")] {
            assert_ne!(folded(a), folded(b));
        }
    }

    #[test]
    fn folding_twice_changes_nothing_more() {
        for text in ["Straße ÇŒ ŉ ĳ", "ﷺ", "İstanbul", "ﾊﾟｰﾃｨｰ ㌕", "ͺ\u{301}", "\u{3164}한"] {
            let once = folded(text);
            assert_eq!(folded(&once), once, "{text}");
        }
    }

    #[test]
    fn a_folded_text_is_bounded() {
        let phrases = "ﷺ".repeat(2000);
        assert!(folded(&phrases).len() <= 3 * phrases.len() + 1024 + 64);
        // No text of words is cut.
        for part in ["한", "ệ", "ΐ", "ß", "\u{1d160}"] {
            assert_eq!(folded(&part.repeat(2000)), folded(part).repeat(2000));
        }
    }
}
