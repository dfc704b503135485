//! The OpenAPI description of what a generation serves.

use stowage_logic::Generation;

use crate::api::Api;
use crate::json::Json;
use crate::method::{Method, answer};

/// The version of OpenAPI.
const VERSION: &str = "3.1.0";
/// Where a server listens unless it is told otherwise.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:8787";

/// What the methods have in common.
const INTRODUCTION: &str = "\
A local storage server for instant-messaging clients. Each method is a POST with a JSON object. The \
answer is an envelope: `{\"code\": 200, \"message\": null, \"data\": …}`, or the code and the message \
of an error with `data` null.\n\n\
Requests may be more tolerant than this description: a number may come as a text if nothing is lost, \
null and absent mean the same, unknown fields are ignored, and an empty body is an empty object.\n\n\
A method that is not there answers code 300.";

/// Describes the HTTP API of a generation: its methods, and the paths of the host itself.
pub fn openapi(generation: &Generation) -> Json {
    let host = host();
    let api = Api::of(
        generation,
        host.at(&["components", "schemas"]).map_or(&[], Json::members),
    );
    let mut paths: Vec<(String, Json)> = api
        .methods
        .iter()
        .map(|method| (method.path.clone(), Json::object([("post", operation(method))])))
        .collect();
    paths.extend(host.get("paths").map_or(&[][..], Json::members).iter().cloned());
    let mut tags: Vec<Json> = api
        .tags
        .iter()
        .map(|(name, comment)| {
            let mut tag = Json::object([("name", name.as_str().into())]);
            if !comment.is_empty() {
                tag.set("description", comment.as_str());
            }
            tag
        })
        .collect();
    tags.extend(host.get("tags").map_or(&[][..], Json::items).iter().cloned());
    let mut components = Json::object([("schemas", Json::Object(api.schemas.into_iter().collect()))]);
    for (kind, members) in host.get("components").map_or(&[][..], Json::members) {
        if kind != "schemas" {
            components.set(kind, members.clone());
        }
    }
    Json::object([
        ("openapi", VERSION.into()),
        ("info", info("Stowage", &format!("{INTRODUCTION}{}", api.introduction))),
        (
            "servers",
            vec![Json::object([
                ("url", format!("http://{DEFAULT_ADDRESS}").into()),
                ("description", "The default address".into()),
            ])]
            .into(),
        ),
        (
            "security",
            vec![Json::Object(Vec::new()), Json::object([("bearer", Vec::new().into())])].into(),
        ),
        ("tags", tags.into()),
        ("paths", Json::Object(paths)),
        ("components", components),
    ])
}

/// Title, version and licence.
pub(crate) fn info(title: &str, description: &str) -> Json {
    Json::object([
        ("title", title.into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("description", description.into()),
        (
            "license",
            Json::object([
                ("name", "Apache-2.0".into()),
                ("url", "https://www.apache.org/licenses/LICENSE-2.0".into()),
            ]),
        ),
    ])
}

/// The paths of the host itself, and what they use.
fn host() -> Json {
    serde_json::from_str(include_str!("host.json")).expect("a test reads it")
}

fn operation(method: &Method) -> Json {
    let comment = &method.comment;
    let mut operation = Json::object([
        ("operationId", method.operation.as_str().into()),
        ("tags", Json::texts([method.tag.as_str()])),
    ]);
    let summary = comment.summary();
    operation.set("summary", if summary.is_empty() { &method.operation } else { summary });
    if comment.text.trim_end_matches('.') != summary {
        operation.set("description", comment.text.as_str());
    }
    let content = |schema: Json, examples: Vec<(String, Json)>| {
        let mut media = Json::object([("schema", schema)]);
        if !examples.is_empty() {
            media.set("examples", Json::Object(examples));
        }
        Json::object([("application/json", media)])
    };
    let example = |index: usize, summary: &str, value: &Json| {
        let mut example = Json::Object(Vec::new());
        if !summary.is_empty() {
            example.set("summary", summary);
        }
        example.set("value", value.clone());
        (format!("example{}", index + 1), example)
    };
    let examples = comment.examples.iter().enumerate();
    let (requests, answers) = examples
        .map(|(index, found)| {
            (
                example(index, &found.summary, &found.request),
                example(index, &found.summary, &found.answer),
            )
        })
        .unzip();
    let is_required = method.request.get("required").is_some();
    operation.set(
        "requestBody",
        Json::object([
            ("required", is_required.into()),
            ("content", content(method.request.clone(), requests)),
        ]),
    );
    let answered = Json::object([
        ("description", "The answer: the data, or an error.".into()),
        (
            "content",
            content(answer(method.data.clone(), method.errors.as_deref()), answers),
        ),
    ]);
    operation.set(
        "responses",
        Json::object([("200", answered), ("4XX", Json::reference("responses", "Refused"))]),
    );
    if let Some(errors) = &method.errors {
        let errors = errors.iter().map(|(code, meaning)| {
            Json::object([("code", i128::from(*code).into()), ("meaning", meaning.as_str().into())])
        });
        operation.set("x-stowage-errors", errors.collect::<Vec<_>>());
    }
    operation.set("x-stowage-module", method.module.as_str());
    operation.set("x-stowage-version", format!("{:#}", method.version));
    operation.set("x-stowage-function", method.function.as_str());
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that references in a value name.
    fn references(value: &Json, found: &mut Vec<String>) {
        found.extend(value.get("$ref").and_then(Json::as_text).map(str::to_owned));
        value.members().iter().for_each(|(_, value)| references(value, found));
        value.items().iter().for_each(|value| references(value, found));
    }

    #[test]
    fn everything_that_the_paths_of_the_host_refer_to_is_there() {
        let host = host();
        let mut found = Vec::new();
        references(&host, &mut found);
        assert!(found.len() > 50, "{}", found.len());
        for reference in found {
            let path: Vec<_> = reference.trim_start_matches("#/").split('/').collect();
            assert!(host.at(&path).is_some(), "{reference}");
        }
    }
}
