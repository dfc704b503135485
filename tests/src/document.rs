//! The code blocks of the repository's documents, and the command lines in them.

use std::fs;
use std::path::Path;

/// A code block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The heading it is under, without its `#`s.
    pub heading: String,
    /// The word behind the opening fence.
    pub language: String,
    /// The text between the fences.
    pub text: String,
}

/// The text of a document, by its path in the repository.
///
/// # Panics
/// When there is no such document.
pub fn document(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The code blocks of a document, in their order.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut heading = "";
    let mut open: Option<Block> = None;
    for line in document.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(language)) => {
                open = Some(Block {
                    heading: heading.to_owned(),
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (None, None) if line.starts_with('#') => heading = line.trim_start_matches('#').trim(),
            (None, None) => {}
        }
    }
    blocks
}

/// The words of a command line, split as a shell does: blanks, single and double quotes, a
/// backslash before a line's end, `#` for a comment. Nothing else is special.
///
/// # Panics
/// When a quote is not closed.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some(end) if end == c => break,
                        Some(inside) => word.push(inside),
                        None => panic!("a quote is not closed: {line}"),
                    }
                }
            }
            '\\' if rest.next_if_eq(&'\n').is_some() => {}
            '#' if word.is_none() => break,
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The command lines of a block, without empty ones. A line that ends with a backslash continues on
/// the next.
pub fn commands(text: &str) -> Vec<String> {
    let mut commands = vec![String::new()];
    for line in text.lines() {
        let Some(last) = commands.last_mut() else { continue };
        last.push_str(line);
        if line.ends_with('\\') {
            last.push('\n');
        } else {
            commands.push(String::new());
        }
    }
    commands.retain(|command| !words(command).is_empty());
    commands
}

/// JSON without the blanks between its parts.
pub fn squeezed(json: &str) -> String {
    let mut in_string = false;
    let mut is_escaped = false;
    json.chars()
        .filter(|&c| {
            let keep = in_string || !c.is_whitespace();
            if c == '"' && !is_escaped {
                in_string = !in_string;
            }
            is_escaped = in_string && c == '\\' && !is_escaped;
            keep
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_a_person_does() {
        let found = blocks("# A\n```sh\nx\n# no heading\n```\n## B c\ntext\n```json\n{}\n```\n");
        let block = |heading: &str, language: &str, text: &str| Block {
            heading: heading.to_owned(),
            language: language.to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(
            found,
            [block("A", "sh", "x\n# no heading\n"), block("B c", "json", "{}\n")]
        );
    }

    #[test]
    fn command_lines_are_split_as_a_shell_does() {
        assert_eq!(
            words(r#"curl -s 'a b' -d '{"x": "y#"}' "z"w '' # c"#),
            ["curl", "-s", "a b", "-d", r#"{"x": "y#"}"#, "zw", ""]
        );
        assert_eq!(commands("# only a comment\na \\\n  b\n\nc\n"), ["a \\\n  b", "c"]);
        assert_eq!(words("a \\\n  b"), ["a", "b"]);
        assert_eq!(squeezed("{ \"a b\\\" c\" : [\n 1 ] }"), r#"{"a b\" c":[1]}"#);
    }
}
