//! Opens the space of a server, and says what to do if there is none to open.

use stowage_cli::space::shown;
use stowage_cloud::{Cloud, Error, FORMAT, OpenOptions, Space};
use stowage_storage::Store;

/// The size of a new space: 10 GB.
const NEW_SPACE_BYTES: u64 = 10 << 30;

/// Opens the space at a URL. With `create`, one that the database does not know is made. One that
/// it knows may be away now: the server starts without it and waits for it.
///
/// # Errors
/// Says what is wrong with the space, and what to do.
pub(super) async fn open(url: &str, create: bool, store: &Store) -> anyhow::Result<Space> {
    let opened = match Cloud::knows(store, url)? {
        true => Space::open_known(url).await,
        false => {
            let options = OpenOptions {
                create: create.then_some(NEW_SPACE_BYTES),
                unreachable_ok: true,
            };
            Space::open(url, options).await
        }
    };
    opened.map_err(|error| explained(error, url))
}

/// What is wrong with a space, and what to do after a semicolon.
pub(crate) fn explained(error: Error, url: &str) -> anyhow::Error {
    let place = shown(url);
    match error {
        Error::Missing { .. } => anyhow::anyhow!(
            "there is no space at {place}; check the name for a typing error, and that its disk is mounted; \
             `stowage space init {place}` makes a new one"
        ),
        Error::Malformed { object, reason } => anyhow::anyhow!(
            "the file {object} of the space at {place} is torn or wrong ({reason}); restore it from a copy; it must \
             hold {{\"format\": {FORMAT}, \"totalBytes\": N}}, with the size of the space in bytes for N, and the \
             \"id\" that it had"
        ),
        Error::NewerFormat { found } => anyhow::anyhow!(
            "the space at {place} has format {found}, this program knows format {FORMAT}; update this program"
        ),
        Error::Url { url, reason } => anyhow::anyhow!(
            "--space {url}: {reason}; expected a directory, file:///DIR, s3://BUCKET/PREFIX, gs://…, az://… or https://…"
        ),
        error => anyhow::Error::new(error).context(format!("the space at {place}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(space_json: Option<&str>) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        if let Some(text) = space_json {
            std::fs::write(dir.path().join("space.json"), text).expect("writable");
        }
        let store = Store::in_memory(stowage_storage::Config::default());
        let url = format!("file://{}", dir.path().display());
        open(&url, false, &store).await.expect_err("no space").to_string()
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_space_tells_what_to_do() {
        let text = refused(None).await;
        assert!(
            text.contains("typing error") && text.contains("stowage space init file:///"),
            "{text}"
        );
        let text = refused(Some("{\"format\": 1, \"tot")).await;
        assert!(
            text.contains("space.json") && text.contains("restore") && !text.contains("init"),
            "{text}"
        );
        let store = Store::in_memory(stowage_storage::Config::default());
        let text = open("ftp://x", false, &store).await.expect_err("no space").to_string();
        assert!(
            text.starts_with("--space ftp://x/: ") && text.contains("file:///DIR, s3://BUCKET/PREFIX, gs://"),
            "{text}"
        );
        let text = refused(Some("{\"format\": 7}")).await;
        assert!(
            text.contains("format 7") && text.contains("update this program"),
            "{text}"
        );
    }
}
