//! The comment of a function, taken apart.
//!
//! A comment is prose. Some lines have a form that the description understands:
//!
//! - `Errors: 60000 no such folder, 60002 the name exists.` The codes that the function answers
//!   with. It ends with its paragraph.
//! - `Wire name: getImFavoriteList`: how clients write the method, if it is not the camelCase form.
//! - `Example:`, then two fenced blocks of JSON: a request and its answer. A text on the same line
//!   names the example. There may be several.

use std::collections::BTreeSet;

use stowage_logic::codec::{camel_case, fold_name};

use crate::json::Json;

/// More examples of a function are left out.
const MAX_EXAMPLES: usize = 16;

/// What the comment of a function says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Comment {
    /// The prose, with names in their wire form.
    pub(crate) text: String,
    /// Codes and their meanings, in the order of the comment.
    pub(crate) errors: Vec<(i32, String)>,
    /// The name of the method on the wire, if the comment gives one.
    pub(crate) wire_name: Option<String>,
    /// Examples in the order of the comment.
    pub(crate) examples: Vec<Example>,
}

/// A documented request and its answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Example {
    /// What it shows; empty if the comment does not say.
    pub(crate) summary: String,
    /// The request.
    pub(crate) request: Json,
    /// The answer.
    pub(crate) answer: Json,
}

impl Comment {
    /// Takes the comment of a function apart.
    pub(crate) fn of_function(function: &str, comment: &str) -> Comment {
        let mut read = Comment::default();
        let mut prose = String::new();
        let mut lines = comment.lines().map(str::trim_end).peekable();
        while let Some(line) = lines.next() {
            let words = line.trim_start();
            if let Some(rest) = words.strip_prefix("Errors:") {
                let mut list = rest.to_owned();
                while let Some(next) = lines.next_if(|next| continues(next)) {
                    list.push(' ');
                    list.push_str(next.trim());
                }
                read.errors.extend(errors(&list));
            } else if let Some(name) = words
                .strip_prefix("Wire name:")
                .and_then(|rest| wire_name(function, rest))
            {
                read.wire_name = Some(name);
            } else if let Some(rest) = words.strip_prefix("Example:") {
                let blocks = [fenced(&mut lines), fenced(&mut lines)];
                if let [Some(request), Some(answer)] = blocks
                    && read.examples.len() < MAX_EXAMPLES
                {
                    read.examples.push(Example {
                        summary: prose_of(rest.trim().trim_end_matches(['.', ':'])),
                        request,
                        answer,
                    });
                }
            } else {
                prose.push_str(line);
                prose.push('\n');
            }
        }
        read.text = prose_of(&prose);
        read
    }

    /// The first sentence of the prose.
    pub(crate) fn summary(&self) -> &str {
        sentences(&self.text)
            .into_iter()
            .next()
            .unwrap_or_default()
            .trim_end_matches('.')
    }

    /// The sentences of the prose that name a parameter, in their order.
    pub(crate) fn about(&self, parameter: &str) -> String {
        let name = format!("`{parameter}`");
        let about: Vec<_> = sentences(&self.text)
            .into_iter()
            .filter(|sentence| sentence.contains(&name))
            .collect();
        about.join(" ")
    }
}

/// Prose on as few lines as it has paragraphs, with names in backticks in their wire form. Tables,
/// lists and fenced blocks keep their lines.
pub(crate) fn prose_of(comment: &str) -> String {
    reflowed(comment, wire_names)
}

/// The same, with names as they are in WIT.
pub(crate) fn prose_as_written(comment: &str) -> String {
    reflowed(comment, str::to_owned)
}

fn reflowed(comment: &str, names: fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut is_fenced = false;
    let mut before_flows = false;
    for line in comment.lines() {
        let words = line.trim();
        let is_fence = words.starts_with("```");
        let flows = !is_fenced && !is_fence && !words.is_empty() && !words.starts_with(['|', '-', '*', '#', '>']);
        let goes_on = flows && before_flows;
        if !text.is_empty() {
            text.push(if goes_on { ' ' } else { '\n' });
        }
        match is_fenced || is_fence {
            true => text.push_str(line.trim_end()),
            false => text.push_str(&names(words)),
        }
        is_fenced ^= is_fence;
        // The rest of an item of a list flows after its first line.
        before_flows = flows || (!is_fenced && words.starts_with("- "));
    }
    let text = text.trim();
    // A name may be broken at no place, so a line is whole. Empty lines come alone.
    let mut lines: Vec<&str> = text.lines().collect();
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    lines.join("\n")
}

/// The text with the names in backticks in their wire form: `` `page-size` `` is `` `pageSize` ``.
fn wire_names(text: &str) -> String {
    let is_kebab = |name: &str| {
        name.contains('-')
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let parts = text.split('`').enumerate();
    let wire: Vec<_> = parts
        .map(|(index, part)| match index % 2 == 1 && is_kebab(part) {
            true => camel_case(part),
            false => part.to_owned(),
        })
        .collect();
    wire.join("`")
}

/// The sentences of a text. A full stop in parentheses, or in a name, ends none.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut depth) = (0, 0_u32);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_end = match c {
            '.' => depth == 0 && chars.peek().is_none_or(|(_, next)| next.is_whitespace()),
            '\n' => {
                depth = 0;
                true
            }
            _ => false,
        };
        if is_end {
            found.push(text[start..=at].trim());
            start = at + c.len_utf8();
        }
    }
    found.push(text[start..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Whether a line belongs to the paragraph before it.
fn continues(line: &str) -> bool {
    let words = line.trim();
    !words.is_empty()
        && !["Example:", "Wire name:", "```", "|"]
            .iter()
            .any(|start| words.starts_with(start))
}

/// Errors of a function that are read. No client tells more apart.
const MAX_ERRORS: usize = 256;

/// The codes of `60000 no such folder, 60002 the name exists.` Each code counts once.
fn errors(list: &str) -> Vec<(i32, String)> {
    let mut found: Vec<(i32, String)> = Vec::new();
    for part in list.trim().trim_end_matches('.').split(", ") {
        let (first, meaning) = part.trim().split_once(' ').unwrap_or((part.trim(), ""));
        match (first.parse(), found.last_mut()) {
            (Ok(code), _) => found.push((code, meaning.trim().to_owned())),
            // A meaning with a comma in it.
            (Err(_), Some((_, before))) => {
                before.push_str(", ");
                before.push_str(part.trim());
            }
            (Err(_), None) => {}
        }
    }
    // 200 is success, whatever a comment says.
    let mut known = BTreeSet::from([200]);
    found.retain(|(code, _)| known.len() <= MAX_ERRORS && known.insert(*code));
    for (_, meaning) in &mut found {
        *meaning = wire_names(meaning);
    }
    found
}

/// The name that clients write, if it is the function's name in another way: that is how it is
/// found.
fn wire_name(function: &str, rest: &str) -> Option<String> {
    let name = rest.trim().trim_end_matches('.').trim_matches('`');
    let is_plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '$' | '_'));
    (is_plain && fold_name(name) == fold_name(function)).then(|| name.to_owned())
}

/// The JSON of the next fenced block, if that is what comes next.
fn fenced<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> Option<Json> {
    while lines.next_if(|line| line.trim().is_empty()).is_some() {}
    lines.next_if(|line| line.trim_start().starts_with("```"))?;
    let mut text = String::new();
    for line in lines.by_ref() {
        if line.trim_start().starts_with("```") {
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMENT: &str = "\
A page of a folder, oldest first unless `order` says otherwise. `type` is 0 to 2 (0 all. 1 text). `page-size` is
1 to 1000; without it 10. See v1.2 too.

| a-b | `c-d` |
|---|---|

- one item
  of a list
- `another-one`

Errors: 60000 no such folder, 600 an empty list, or
more than `max-items`, 70001 gone.
Wire name: `getX$List`

Example: the first page.
```json
{\"favId\":\"1\"}
```

```json
{\"code\":200,
 \"data\":[]}
```
Example:
```json
{}
```
```json
no JSON
```
After it.";

    #[test]
    fn a_comment_is_taken_apart() {
        let comment = Comment::of_function("get-x-list", COMMENT);
        assert_eq!(
            comment.summary(),
            "A page of a folder, oldest first unless `order` says otherwise"
        );
        assert_eq!(
            comment.text,
            "A page of a folder, oldest first unless `order` says otherwise. `type` is 0 to 2 (0 all. 1 text). \
             `pageSize` is 1 to 1000; without it 10. See v1.2 too.\n\n| a-b | `cD` |\n|---|---|\n\n- one item of a \
             list\n- `anotherOne`\n\nAfter it."
        );
        assert_eq!(comment.about("pageSize"), "`pageSize` is 1 to 1000; without it 10.");
        assert_eq!(comment.about("type"), "`type` is 0 to 2 (0 all. 1 text).");
        assert_eq!(comment.about("none"), "");
        let errors = [
            (60000, "no such folder"),
            (600, "an empty list, or more than `maxItems`"),
            (70001, "gone"),
        ];
        assert_eq!(comment.errors, errors.map(|(code, meaning)| (code, meaning.to_owned())));
        assert_eq!(comment.wire_name.as_deref(), Some("getX$List"));
        assert_eq!(comment.examples.len(), 1, "an example with two blocks of JSON");
        assert_eq!(comment.examples[0].summary, "the first page");
        assert_eq!(comment.examples[0].request.to_string(), r#"{"favId":"1"}"#);
        assert_eq!(comment.examples[0].answer.to_string(), r#"{"code":200,"data":[]}"#);
    }

    #[test]
    fn a_wire_name_is_another_spelling_of_the_function() {
        let wire_name = |text: &str| Comment::of_function("get-x", &format!("Wire name: {text}")).wire_name;
        assert_eq!(wire_name("get$X."), Some("get$X".into()));
        for bad in ["`getY`", "get/x", "getx{}", "", "get x"] {
            assert_eq!(wire_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn odd_comments_say_little_and_break_nothing() {
        for comment in [
            "",
            "`",
            "```",
            "Errors:",
            "Errors: , , 1,2 3",
            "Example:",
            "Example:\n```json",
            "Example:\n```\n{}\n```\n```\n",
            "(((. ).",
            "\n\n\n",
            "`a-`b-`",
        ] {
            let read = Comment::of_function("f", comment);
            assert!(read.examples.is_empty(), "{comment}");
            let _ = (read.summary(), read.about("a"));
        }
        let many = "Example:\n```\n1\n```\n```\n2\n```\n".repeat(40);
        assert_eq!(Comment::of_function("f", &many).examples.len(), MAX_EXAMPLES);
    }

    #[test]
    fn a_code_counts_once_and_success_is_no_error() {
        let found = errors("200 fine, 600 bad, 600 bad again, 60000 no such folder.");
        let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [600, 60000]);
        let many: Vec<_> = (1000..2000).map(|code| format!("{code} x")).collect();
        assert_eq!(errors(&many.join(", ")).len(), MAX_ERRORS);
    }
}
