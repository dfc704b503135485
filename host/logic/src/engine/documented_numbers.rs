//! The numbers that a module's functions take, as the module's WIT documents them.
//!
//! A type has a range of its own: a `u32` is 0 to 4294967295. A module takes fewer numbers: a page
//! size is 1 to 1000. It refuses the others with its own message, but it never sees a number that
//! the type does not hold, nor a text. The host refuses those. A client should read the same
//! message for a parameter, whatever is wrong with its value. So the host reads the range where
//! people read it, in the documentation of the function: `` `page-size` is 1 to 1000 ``. A meaning
//! in parentheses may follow: `` `type` is 0 to 1 (0 upload, 1 download) ``.
//!
//! This is text for messages only. What a module takes is for the module to check.

use std::collections::BTreeMap;

/// The documentation of each function, on one line, by interface and function.
pub(super) struct DocumentedNumbers<'a>(BTreeMap<(&'a str, &'a str), String>);

impl<'a> DocumentedNumbers<'a> {
    /// Reads WIT in the layout of the WIT formatter: one declaration a line.
    pub(super) fn read(wit: &'a str) -> DocumentedNumbers<'a> {
        let mut functions = BTreeMap::new();
        let mut interface = "";
        let mut docs = String::new();
        for line in wit.lines().map(str::trim) {
            if let Some(doc) = line.strip_prefix("///") {
                docs.push_str(doc);
                continue;
            }
            if let Some(rest) = line.strip_prefix("interface ") {
                interface = rest.trim_end_matches('{').trim_end();
            } else if let Some((function, _)) = line.split_once(": func(") {
                functions.insert((interface, unescaped(function)), std::mem::take(&mut docs));
            }
            docs.clear();
        }
        DocumentedNumbers(functions)
    }

    /// What a parameter takes, for the message of an error. None if the documentation does not say.
    pub(super) fn expected(&self, interface: &str, function: &str, parameter: &str) -> Option<String> {
        let docs = self.0.get(&(interface, function))?;
        let (_, rest) = docs.split_once(&format!("`{parameter}` is "))?;
        let (min, rest) = whole_number(rest)?;
        let (max, rest) = whole_number(rest.strip_prefix(" to ")?)?;
        let meaning = rest
            .strip_prefix(" (")
            .and_then(|rest| rest.split_once(')'))
            .map(|(meaning, _)| format!(" ({meaning})"))
            .unwrap_or_default();
        Some(format!("a whole number from {min} to {max}{meaning}"))
    }
}

/// A name without the `%` that tells it from a keyword.
fn unescaped(name: &str) -> &str {
    name.trim_start_matches('%')
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
    use super::*;

    const WIT: &str = "
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

    #[test]
    fn a_range_is_read_from_the_documentation_of_its_function() {
        let numbers = DocumentedNumbers::read(WIT);
        let expected = |parameter| numbers.expected("board", "list-notes", parameter).unwrap_or_default();
        assert_eq!(expected("page"), "a whole number from 1 to 4294967295");
        assert_eq!(expected("page-size"), "a whole number from 1 to 1000");
        assert_eq!(expected("type"), "a whole number from -1 to 2 (0 all, 1 short)");
        let other = numbers.expected("other", "list-notes", "page");
        assert_eq!(other.as_deref(), Some("a whole number from 0 to 9"));
    }

    #[test]
    fn what_is_not_documented_so_has_no_range() {
        let numbers = DocumentedNumbers::read(WIT);
        for (interface, function, parameter) in [
            ("board", "list-notes", "size"),
            ("board", "from", "page"),
            ("board", "none", "page"),
            ("none", "list-notes", "page"),
            ("other", "list-notes", "size"),
            ("other", "list-notes", "far"),
        ] {
            assert_eq!(
                numbers.expected(interface, function, parameter),
                None,
                "{function} {parameter}"
            );
        }
        for wit in [
            "",
            "///",
            ": func(",
            "interface",
            "/// `a` is 99999999999999999999999999999999999999999 to 1",
        ] {
            assert_eq!(DocumentedNumbers::read(wit).expected("", "", "a"), None);
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
        );
        let numbers = DocumentedNumbers::read(wit);
        let mut read = 0;
        for (interface, function) in numbers.0.keys() {
            let declaration = wit
                .lines()
                .find(|line| line.trim_start().starts_with(&format!("{function}: func(")));
            let (_, parameters) = declaration.unwrap().split_once('(').unwrap();
            for parameter in parameters.split(") ->").next().unwrap().split(", ") {
                let Some((name, ty)) = parameter.split_once(": ") else {
                    continue;
                };
                // Times are any `s64`.
                if ty.contains("u32") || ty.contains("s32") {
                    let expected = numbers.expected(interface, function, unescaped(name));
                    assert!(expected.is_some(), "{function}: {name}");
                    read += 1;
                }
            }
        }
        assert!(read > 15, "{read}");
    }
}
