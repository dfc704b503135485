//! The same two methods on hyper and SQLite (WAL, synchronous FULL): a straightforward native
//! server.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use hyper::body::Bytes;
use parking_lot::Mutex;
use rusqlite::Connection;
use serde_json::{Value, json};

thread_local! {
    /// The connection for reads of each worker thread.
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

pub async fn serve(file: PathBuf) -> anyhow::Result<()> {
    let writer = open(&file)?;
    writer.execute_batch(
        "CREATE TABLE folder (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, time INTEGER NOT NULL);
         CREATE INDEX folder_time ON folder (time, id);
         INSERT INTO folder VALUES ('1', '我的收藏', 0);",
    )?;
    let writer = Arc::new(Mutex::new(writer));
    let file = Arc::new(file);
    super::echo::serve_with(move |body| {
        let (writer, file) = (Arc::clone(&writer), Arc::clone(&file));
        async move {
            let answer = answer(&writer, &file, &body)
                .unwrap_or_else(|error| json!({"code": 500, "message": error.to_string(), "data": null}));
            Bytes::from(answer.to_string())
        }
    })
    .await
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn answer(writer: &Mutex<Connection>, file: &Path, body: &[u8]) -> anyhow::Result<Value> {
    let request: Value = serde_json::from_slice(body)?;
    match request["__SERVER_ROUTE_METHOD"].as_str() {
        Some("createImFavoriteFolder") => {
            let name = request["name"].as_str().context("name")?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
            // Other tasks of the worker thread move to another one while it waits for the disk.
            tokio::task::block_in_place(|| {
                let writer = writer.lock();
                writer
                    .prepare_cached("INSERT INTO folder VALUES (?1, ?2, ?3)")?
                    .execute((uuid::Uuid::new_v4().to_string(), name, now))
            })?;
            Ok(json!({"code": 200, "message": null, "data": true}))
        }
        Some("getImFavoriteFolders") => {
            let page = request["page"].as_i64().context("page")?;
            let size = request["pageSize"].as_i64().context("pageSize")?;
            let rows = READER.with_borrow_mut(|reader| -> rusqlite::Result<Vec<Value>> {
                let reader = match reader {
                    Some(reader) => reader,
                    None => reader.insert(open(file)?),
                };
                let mut statement =
                    reader.prepare_cached("SELECT id, name, time FROM folder ORDER BY time, id LIMIT ?1 OFFSET ?2")?;
                let rows = statement.query_map((size, (page - 1) * size), |row| {
                    Ok(json!({
                        "id": row.get::<_, String>(0)?,
                        "name": row.get::<_, String>(1)?,
                        "time": row.get::<_, i64>(2)?,
                    }))
                })?;
                rows.collect()
            })?;
            Ok(json!({"code": 200, "message": null, "data": rows}))
        }
        other => anyhow::bail!("no method {other:?}"),
    }
}
