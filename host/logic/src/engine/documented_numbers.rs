//! The numbers that a module's functions take, as the module's WIT documents them.
//!
//! A type has a range of its own: a `u32` is 0 to 4294967295. A module takes fewer numbers: a page
//! size is 1 to 1000. It refuses the others with its own message, but it never sees a number that
//! the type does not hold, nor a text. The host refuses those. A client should read the same
//! message for a parameter, whatever is wrong with its value. So the host reads the range where
//! people read it, in the documentation of the function: `` `page-size` is 1 to 1000 ``. A meaning
//! in parentheses may follow: `` `type` is 0 to 1 (0 upload, 1 download) ``.
//!
//! This is text for messages and descriptions only. What a module takes is for the module to check.

use std::fmt;

/// A range of whole numbers that a comment documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentedNumber {
    /// The least.
    pub min: i128,
    /// The most.
    pub max: i128,
    /// What the numbers mean: `0 upload, 1 download`; empty if the comment does not say.
    pub meaning: String,
}

impl DocumentedNumber {
    /// The range of a parameter or a field, in a comment that names it so.
    pub fn find(comment: &str, name: &str) -> Option<DocumentedNumber> {
        // A comment breaks its lines anywhere.
        let words: Vec<_> = comment.split_whitespace().collect();
        let comment = words.join(" ");
        let (_, rest) = comment.split_once(&format!("`{name}` is "))?;
        let (min, rest) = whole_number(rest)?;
        let (max, rest) = whole_number(rest.strip_prefix(" to ")?)?;
        let meaning = rest.strip_prefix(" (").and_then(|rest| rest.split_once(')'));
        Some(DocumentedNumber {
            min,
            max,
            meaning: meaning.map(|(meaning, _)| meaning.to_owned()).unwrap_or_default(),
        })
    }
}

/// As in the message of an error.
impl fmt::Display for DocumentedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.min, self.max)?;
        match self.meaning.as_str() {
            "" => Ok(()),
            meaning => write!(f, " ({meaning})"),
        }
    }
}

/// The number at the start of a text, and the rest.
fn whole_number(text: &str) -> Option<(i128, &str)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (number, rest) = text.split_at(text.len() - digits.len() + end);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::super::documentation::Documentation;
    use super::super::export::InterfaceName;
    use super::*;

    const WIT: &str = "
        package local:board@1.0.0;

        interface board {
            /// A number of no function: `page` is 7 to 8.
            record note { id: string }

            /// Notes. `page` is 1 to
            /// 4294967295; `page-size` is 1 to 1000. `type` is -1 to
            /// 2 (0 all, 1 short).
            list-notes: func(page: u32, page-size: u32, %type: s32) -> list<note>;

            %from: func(page: u32);
        }
        interface other {
            /// `page` is 0 to 9. `size` is small, 1 to 3. `far` is 1 to x.
            list-notes: func(page: u32, size: u32, far: u32);
        }";

    fn expected(interface: &str, function: &str, parameter: &str) -> Option<String> {
        let documentation = Documentation::read(WIT);
        let interface = InterfaceName {
            package: "local:board".into(),
            interface: interface.into(),
        };
        let function = documentation.function(&interface, function)?;
        DocumentedNumber::find(function.comment(), parameter).map(|number| number.to_string())
    }

    #[test]
    fn a_range_is_read_from_the_documentation_of_its_function() {
        let of_board = |parameter| expected("board", "list-notes", parameter).unwrap_or_default();
        assert_eq!(of_board("page"), "a whole number from 1 to 4294967295");
        assert_eq!(of_board("page-size"), "a whole number from 1 to 1000");
        assert_eq!(of_board("type"), "a whole number from -1 to 2 (0 all, 1 short)");
        let other = expected("other", "list-notes", "page");
        assert_eq!(other.as_deref(), Some("a whole number from 0 to 9"));
    }

    #[test]
    fn what_is_not_documented_so_has_no_range() {
        for (interface, function, parameter) in [
            ("board", "list-notes", "size"),
            ("board", "from", "page"),
            ("board", "none", "page"),
            ("none", "list-notes", "page"),
            ("other", "list-notes", "size"),
            ("other", "list-notes", "far"),
        ] {
            assert_eq!(expected(interface, function, parameter), None, "{function} {parameter}");
        }
        for comment in ["", "`a` is", "`a` is 99999999999999999999999999999999999999999 to 1"] {
            assert_eq!(DocumentedNumber::find(comment, "a"), None);
        }
    }

    #[test]
    fn every_number_of_the_storage_api_is_documented() {
        let wit = concat!(
            include_str!("../../../../wit/deps/storage-api/cloud-storage.wit"),
            include_str!("../../../../wit/deps/storage-api/common.wit"),
            include_str!("../../../../wit/deps/storage-api/im-backups.wit"),
            include_str!("../../../../wit/deps/storage-api/im-favorites.wit"),
            include_str!("../../../../wit/deps/storage-api/temp-files.wit"),
            include_str!("../../../../wit/deps/storage-api/types.wit"),
        );
        let documentation = Documentation::read(wit);
        let mut read = 0;
        for interface in ["cloud-storage", "common", "im-backups", "im-favorites", "temp-files"] {
            let name = InterfaceName {
                package: "stowage:storage-api".into(),
                interface: interface.into(),
            };
            let (_, text) = wit.split_once(&format!("interface {interface} {{")).unwrap();
            let (text, _) = text.split_once("\n}\n").unwrap();
            for line in text.lines() {
                let Some((function, parameters)) = line.trim().split_once(": func(") else {
                    continue;
                };
                let comment = documentation.function(&name, function).unwrap().comment();
                for parameter in parameters.split(") ->").next().unwrap().split(", ") {
                    let Some((parameter, ty)) = parameter.split_once(": ") else {
                        continue;
                    };
                    // Times are any `s64`.
                    if ty.contains("u32") || ty.contains("s32") {
                        let number = DocumentedNumber::find(comment, parameter.trim_start_matches('%'));
                        assert!(number.is_some(), "{function}: {parameter}");
                        read += 1;
                    }
                }
            }
        }
        assert!(read > 15, "{read}");
    }
}
