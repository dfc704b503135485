//! The documents that `stowage api` prints.

use stowage_describe::{Json, asyncapi, markdown, openapi, typescript};
use stowage_logic::Generation;

/// A document about an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    OpenApi,
    AsyncApi,
    TypeScript,
    Markdown,
}

impl Document {
    /// The paths of the descriptions that it is made from.
    pub(super) fn paths(self) -> &'static [&'static str] {
        match self {
            Document::OpenApi | Document::TypeScript => &[OPENAPI],
            Document::AsyncApi => &[ASYNCAPI],
            Document::Markdown => &[OPENAPI, ASYNCAPI],
        }
    }

    /// The document about what these modules serve.
    pub(super) fn of_modules(self, generation: &Generation) -> String {
        let sources = self.paths().iter().map(|path| match *path {
            ASYNCAPI => asyncapi(generation),
            _ => openapi(generation),
        });
        self.of_descriptions(&sources.collect::<Vec<_>>())
    }

    /// The document, made from the descriptions of its paths.
    pub(super) fn of_descriptions(self, sources: &[Json]) -> String {
        match (self, sources) {
            (Document::TypeScript, [openapi]) => typescript(openapi),
            (Document::Markdown, [openapi, asyncapi]) => markdown(openapi, asyncapi),
            (_, sources) => sources.first().map(Json::pretty).unwrap_or_default(),
        }
    }
}

const OPENAPI: &str = "/openapi.json";
const ASYNCAPI: &str = "/asyncapi.json";
