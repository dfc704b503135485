//! A reference for people, made from the OpenAPI and the AsyncAPI description.

use std::fmt::Write as _;

use crate::json::Json;

/// The longest line of prose.
const WIDTH: usize = 100;

/// The reference as Markdown.
pub fn markdown(openapi: &Json, asyncapi: &Json) -> String {
    let mut page = Page::default();
    page.text("# API");
    page.text(
        "This page is made from the modules that serve, by `stowage api markdown`. A running server has \
         the same as OpenAPI under `/openapi.json` and, for the progress feed, as AsyncAPI under \
         `/asyncapi.json`.",
    );
    page.text(&demoted(
        openapi
            .at(&["info", "description"])
            .and_then(Json::as_text)
            .unwrap_or_default(),
    ));
    let paths = openapi.get("paths").map_or(&[][..], Json::members);
    let operations: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.members()
                .iter()
                .map(move |(method, operation)| (path, method, operation))
        })
        .filter(|(_, _, operation)| operation.get("operationId").is_some())
        .collect();
    for tag in openapi.get("tags").map_or(&[][..], Json::items) {
        let name = tag.text("name");
        page.text(&format!("## {name}"));
        page.text(tag.text("description"));
        for (path, method, operation) in &operations {
            let tags = operation.get("tags").map_or(&[][..], Json::items);
            if tags.first().and_then(Json::as_text) == Some(name) {
                page.operation(path, method, operation);
            }
        }
    }
    page.text("## Types");
    for (name, schema) in openapi.at(&["components", "schemas"]).map_or(&[][..], Json::members) {
        page.text(&format!("### {name}"));
        page.schema(schema);
    }
    page.feed(asyncapi);
    page.0
}

/// A page that grows. A blank line is between its blocks.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Adds blocks of prose, tables and code. Long lines of prose are broken.
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        let mut is_code = false;
        for line in text.lines() {
            let is_fence = line.starts_with("```");
            if is_code || is_fence || line.starts_with(['|', '#']) {
                self.0.push_str(line);
            } else {
                wrap(line, &mut self.0);
            }
            is_code ^= is_fence;
            self.0.push('\n');
        }
        // A comment that forgets the end of its code does not swallow what follows.
        if is_code {
            self.0.push_str("```\n");
        }
    }

    /// Adds a table, if it has rows. The first row is its head.
    fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let head: Vec<_> = head.iter().map(|cell| (*cell).to_owned()).collect();
        let rule = "|---".repeat(head.len()) + "|";
        let rows = rows
            .iter()
            .map(|row| line(&row.iter().map(|cell| cell_of(cell)).collect::<Vec<_>>()));
        let lines: Vec<_> = [line(&head), rule].into_iter().chain(rows).collect();
        self.text(&lines.join("\n"));
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Json) {
        let is_method_of_a_module = operation.get("x-stowage-function").is_some();
        match is_method_of_a_module {
            true => self.text(&format!("### {}", path.trim_start_matches('/'))),
            false => self.text(&format!("### {} {path}", method.to_uppercase())),
        }
        match operation.text("description") {
            "" => self.text(&format!("{}.", operation.text("summary").trim_end_matches('.'))),
            description => self.text(description),
        }
        let json = ["content", "application/json"];
        let request = operation.get("requestBody").and_then(|body| body.at(&json));
        if is_method_of_a_module {
            let schema = request.and_then(|request| request.get("schema"));
            self.table(
                &["parameter", "type", "meaning"],
                &fields(schema.unwrap_or(&Json::Null)),
            );
        }
        let answer = operation.at(&["responses", "200"]).and_then(|answer| answer.at(&json));
        let cases = answer
            .and_then(|answer| answer.at(&["schema", "oneOf"]))
            .map_or(&[][..], Json::items);
        if let Some(data) = cases.first().and_then(|success| success.at(&["properties", "data"])) {
            self.text(&format!("Data: {}.", type_text(data)));
        }
        let errors = operation.get("x-stowage-errors").map_or(&[][..], Json::items).iter();
        let errors: Vec<_> = errors
            .filter(|error| !matches!(error.get("code"), Some(Json::Integer(500 | 600))) || !is_common(error))
            .map(|error| {
                vec![
                    error.get("code").unwrap_or(&Json::Null).to_string(),
                    error.text("meaning").to_owned(),
                ]
            })
            .collect();
        self.table(&["error", "meaning"], &errors);
        let examples = |media: Option<&Json>| {
            let examples = media
                .and_then(|media| media.get("examples"))
                .map_or(&[][..], Json::members);
            examples.iter().map(|(_, example)| example.clone()).collect::<Vec<_>>()
        };
        for (request, answer) in examples(request).iter().zip(examples(answer)) {
            let blocks = [request, &answer].map(|example| example.get("value").unwrap_or(&Json::Null).to_string());
            self.text(&format!("```json\n{}\n```\n```json\n{}\n```", blocks[0], blocks[1]));
        }
    }

    fn schema(&mut self, schema: &Json) {
        self.text(schema.text("description"));
        let fields = fields(schema);
        match fields.is_empty() {
            true => self.text(&format!("{}.", type_text(schema))),
            false => self.table(&["field", "type", "meaning"], &fields),
        }
    }

    fn feed(&mut self, asyncapi: &Json) {
        self.text("## Progress feed");
        self.text(
            asyncapi
                .at(&["info", "description"])
                .and_then(Json::as_text)
                .unwrap_or_default(),
        );
        let Some(channel) = asyncapi.at(&["channels", "feed"]) else {
            return;
        };
        self.text(&format!(
            "The websocket is `{}`. {}",
            channel.text("address"),
            channel.text("description")
        ));
        let query = channel.at(&["bindings", "ws", "query"]);
        self.table(&["parameter", "type", "meaning"], &fields(query.unwrap_or(&Json::Null)));
        let message = asyncapi.at(&["components", "messages", "frame", "payload"]);
        let name = message
            .map_or("", |payload| payload.text("$ref"))
            .rsplit('/')
            .next()
            .unwrap_or_default();
        self.text("A frame:");
        let frame = asyncapi.at(&["components", "schemas", name]);
        self.table(&["field", "type", "meaning"], &fields(frame.unwrap_or(&Json::Null)));
    }
}

/// Whether an error may come from any method.
fn is_common(error: &Json) -> bool {
    crate::method::COMMON_ERRORS
        .iter()
        .any(|(_, meaning)| *meaning == error.text("meaning"))
}

/// The fields of an object: name, type, meaning.
fn fields(schema: &Json) -> Vec<Vec<String>> {
    let required = schema.get("required").map_or(&[][..], Json::items);
    let properties = schema.get("properties").map_or(&[][..], Json::members);
    properties
        .iter()
        .map(|(name, field)| {
            let mark = if required.contains(&Json::from(name.as_str())) {
                ""
            } else {
                "?"
            };
            vec![
                format!("{name}{mark}"),
                type_text(field),
                field.text("description").to_owned(),
            ]
        })
        .collect()
}

/// A type in words, with links to the types that have names.
fn type_text(schema: &Json) -> String {
    if let Some(name) = schema.text("$ref").rsplit('/').next().filter(|name| !name.is_empty()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(cases) = schema.get("oneOf") {
        return cases.items().iter().map(type_text).collect::<Vec<_>>().join(" or ");
    }
    if let Some(constant) = schema.get("const") {
        return format!("`{constant}`");
    }
    if let Some(values) = schema.get("enum") {
        return values
            .items()
            .iter()
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Json::Text(name)) => vec![name],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_text).collect(),
        _ => return "any value".to_owned(),
    };
    let texts: Vec<_> = names
        .into_iter()
        .map(|name| match name {
            "array" => match (schema.get("items"), schema.get("prefixItems")) {
                (_, Some(items)) => {
                    let items: Vec<_> = items.items().iter().map(type_text).collect();
                    format!("array of exactly {}", items.join(", "))
                }
                (items, None) => format!("array of {}", items.map_or_else(|| "any value".to_owned(), type_text)),
            },
            "object" if !fields(schema).is_empty() => {
                let fields = fields(schema)
                    .into_iter()
                    .map(|field| format!("{}: {}", field[0], field[1]));
                format!("object of {}", fields.collect::<Vec<_>>().join(", "))
            }
            "integer" => format!("integer{}", range(schema)),
            other => other.to_owned(),
        })
        .collect();
    texts.join(" or ")
}

/// The range of a whole number, unless it is just that of its 64 bits.
fn range(schema: &Json) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(Json::Integer(min)), Some(Json::Integer(max))) if *max < i128::from(i64::MAX) => {
            format!(" {min} to {max}")
        }
        (Some(Json::Integer(0)), Some(_)) => " from 0".to_owned(),
        _ => String::new(),
    }
}

/// A text as the cell of a table.
fn cell_of(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', "<br>")
}

/// Headings below those of the page.
fn demoted(text: &str) -> String {
    let lines = text.lines().map(|line| match line.starts_with("## ") {
        true => format!("#{line}"),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Appends a line of prose, broken at blanks. The lines of an item of a list are indented as it is.
fn wrap(line: &str, out: &mut String) {
    let indent = if line.starts_with("- ") { "  " } else { "" };
    let mut width = 0;
    for word in line.split(' ') {
        let len = word.chars().count();
        if width > 0 && width + 1 + len > WIDTH {
            let _ = write!(out, "\n{indent}");
            width = indent.len();
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_forgets_the_end_of_its_code_does_not_swallow_what_follows() {
        let mut page = Page(String::new());
        page.text("Before.\n```json\n{}");
        page.text("## After");
        assert_eq!(page.0, "Before.\n```json\n{}\n```\n\n## After\n");
    }
}
