//! `stowage api`: describes the API of modules, without a server or as a server serves it.

mod document;
mod modules;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use stowage_describe::Json;

use crate::completion;
use crate::locate::ClientArgs;
use crate::output;
use document::Document;

pub use modules::BuiltinModule;

/// Describe the API: OpenAPI, AsyncAPI, TypeScript types, Markdown
#[derive(Debug, Subcommand)]
pub enum ApiCommand {
    /// Print the methods as OpenAPI 3.1
    #[command(after_help = "Examples:\n  stowage api openapi --module notes.wasm > openapi.json")]
    Openapi(DescribeArgs),
    /// Print the progress feed as AsyncAPI 3.0
    #[command(after_help = "Examples:\n  stowage api asyncapi > asyncapi.json")]
    Asyncapi(DescribeArgs),
    /// Print TypeScript types of the methods, for the package stowage-client
    #[command(after_help = "Examples:\n  stowage api typescript --module notes.wasm > schema.ts")]
    Typescript(DescribeArgs),
    /// Print a reference of the methods as Markdown
    #[command(after_help = "Examples:\n  stowage api markdown --only --module notes.wasm > api.md")]
    Markdown(DescribeArgs),
}

/// What is described.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// A module over the built-in ones (repeatable); its name is that of the file unless NAME is
    /// given
    #[arg(
        long = "module",
        value_name = "[NAME=]FILE",
        conflicts_with_all = ["live", "server"],
        add = completion::files()
    )]
    pub modules: Vec<String>,
    /// Describe only the modules of --module
    #[arg(long, requires = "modules")]
    pub only: bool,
    /// Ask the running server, which describes what it serves now; --server implies it
    #[arg(long)]
    pub live: bool,
    /// Which server
    #[command(flatten)]
    pub client: ClientArgs,
}

impl ApiCommand {
    /// Prints the description. `builtin` are the modules inside the program.
    ///
    /// # Errors
    /// A module cannot be read or is refused, or no server answered.
    pub async fn run(self, builtin: Vec<BuiltinModule>) -> anyhow::Result<ExitCode> {
        let (document, args) = match self {
            ApiCommand::Openapi(args) => (Document::OpenApi, args),
            ApiCommand::Asyncapi(args) => (Document::AsyncApi, args),
            ApiCommand::Typescript(args) => (Document::TypeScript, args),
            ApiCommand::Markdown(args) => (Document::Markdown, args),
        };
        let text = match args.live || args.client.server.is_some() {
            true => args.live(document).await?,
            false => {
                let generation = modules::load(builtin, &args.modules, args.only).await?;
                document.of_modules(&generation)
            }
        };
        output::line(text.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl DescribeArgs {
    /// What the server serves now.
    async fn live(&self, document: Document) -> anyhow::Result<String> {
        let client = self.client.client()?;
        let mut sources = Vec::new();
        for path in document.paths() {
            let reply = client.request(Method::GET, path, None, bytes::Bytes::new()).await?;
            if reply.status != 200 {
                let message = reply.envelope()?.message.unwrap_or_default();
                anyhow::bail!(
                    "{path}: the server refused the request (HTTP {}): {}{}",
                    reply.status,
                    output::printable(&message),
                    crate::reply::refusal_hint(reply.status)
                );
            }
            let source: Json = serde_json::from_slice(&reply.body)
                .map_err(|error| anyhow::anyhow!("{path}: expected JSON from the server ({error})"))?;
            sources.push(source);
        }
        Ok(document.of_descriptions(&sources))
    }
}
