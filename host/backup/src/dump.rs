//! Rows as text: one JSON object a line.
//!
//! ```json
//! {"table":"favorites","key":"7a…","form":"messagepack","value":{"name":"cat.jpg","size":7}}
//! {"table":"blobs","key":"2Fk…","form":"counter","value":3}
//! {"table":"temp-files-by-time","keyBase64":"AAA=","form":"bytes","value":"Y2F0"}
//! ```
//!
//! It is for people and scripts. What cannot be read back from it exactly is marked by its form.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use stowage_storage::Checkpoint;

use crate::error::Error;
use crate::rows::{Moment as _, Row};

/// How deep a value may be nested that is shown decoded.
const MAX_DEPTH: usize = 64;
/// Bytes of lines that are passed on at once.
const BLOCK_BYTES: usize = 256 << 10;

/// How the bytes of a value are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum ValueForm {
    /// A counter, as a number.
    Counter,
    /// A MessagePack map or list, as JSON.
    MessagePack,
    /// A JSON object or list.
    Json,
    /// Anything else, as base64.
    Bytes,
}

/// A row as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    table: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    form: ValueForm,
    value: Value,
}

/// The tables of a checkpoint, or only the named one. Blocks.
///
/// # Errors
/// [`Error::NoSuchTable`], [`Error::Read`].
pub fn tables(rows: &Checkpoint, table: Option<&str>) -> Result<Vec<String>, Error> {
    let mut tables = rows.tables()?;
    if let Some(table) = table {
        tables.retain(|name| name == table);
        if tables.is_empty() {
            return Err(Error::NoSuchTable {
                table: table.to_owned(),
            });
        }
    }
    Ok(tables)
}

/// Passes all rows of a checkpoint as text to `write`, in blocks of whole lines, until it returns
/// false. With `table`, only the rows of that table. Blocks.
///
/// # Errors
/// [`Error::NoSuchTable`], [`Error::Read`].
pub fn dump(rows: &Checkpoint, table: Option<&str>, mut write: impl FnMut(Vec<u8>) -> bool) -> Result<(), Error> {
    let tables = tables(rows, table)?;
    let mut block = Vec::new();
    for table in tables {
        let ended = rows.walk_table(&table, |row| {
            append_line(&mut block, &table, row);
            match block.len() < BLOCK_BYTES || write(std::mem::take(&mut block)) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        if ended.is_some() {
            return Ok(());
        }
    }
    if !block.is_empty() {
        write(block);
    }
    Ok(())
}

pub(crate) fn append_line(block: &mut Vec<u8>, table: &str, row: Row<'_>) {
    let key = std::str::from_utf8(row.key)
        .ok()
        .filter(|text| !text.chars().any(char::is_control));
    let (form, value) = shown(row);
    let line = Line {
        table,
        key,
        key_base64: key.is_none().then(|| STANDARD.encode(row.key)),
        form,
        value,
    };
    // Texts, numbers and maps with text keys always have a JSON form.
    if serde_json::to_writer(&mut *block, &line).is_ok() {
        block.push(b'\n');
    }
}

fn shown(row: Row<'_>) -> (ValueForm, Value) {
    if let Some(number) = row.counter() {
        return (ValueForm::Counter, number.into());
    }
    if let Some(value) = json(row.value) {
        return (ValueForm::Json, value);
    }
    if let Some(value) = message_pack(row.value) {
        return (ValueForm::MessagePack, value);
    }
    (ValueForm::Bytes, STANDARD.encode(row.value).into())
}

/// The bytes as JSON, if they are an object or a list.
fn json(bytes: &[u8]) -> Option<Value> {
    match bytes.first()? {
        b'{' | b'[' => serde_json::from_slice(bytes).ok(),
        _ => None,
    }
}

/// The bytes as JSON, if they are one MessagePack map or list and have a JSON form.
fn message_pack(bytes: &[u8]) -> Option<Value> {
    if !matches!(bytes.first()?, 0x80..=0x9f | 0xdc..=0xdf) {
        return None;
    }
    let mut decoder = rmp_serde::Deserializer::new(bytes);
    decoder.set_max_depth(MAX_DEPTH);
    let value = Value::deserialize(&mut decoder).ok()?;
    decoder.get_ref().is_empty().then_some(value)
}

#[cfg(test)]
mod tests {
    use stowage_storage::Store;

    use super::*;
    use crate::rows::Kind;
    use serde_json::json;

    fn line(key: &[u8], kind: Kind, value: &[u8]) -> Value {
        let mut block = Vec::new();
        append_line(&mut block, "t", Row { key, kind, value });
        assert_eq!(block.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&block).unwrap()
    }

    #[test]
    fn values_are_decoded_where_they_can_be() {
        let row = json!({"name": "猫", "size": 7, "list": [1, -2, null, true, 0.5]});
        let packed = rmp_serde::to_vec_named(&row).unwrap();
        let value = line(b"id", Kind::Value, &packed);
        assert_eq!(
            value,
            json!({"table": "t", "key": "id", "form": "messagepack", "value": row})
        );
        let text = row.to_string();
        assert_eq!(line(b"id", Kind::Value, text.as_bytes())["form"], "json");
        let counter = line(b"id", Kind::Counter, &(-5_i64).to_le_bytes());
        assert_eq!((&counter["form"], &counter["value"]), (&json!("counter"), &json!(-5)));
        for bytes in [
            &b""[..],
            b"cat",
            b"{",
            b"\x81\xa1a",
            b"\x80\x80",
            b"\x81\xa1a\xc4\x01x",
            &[0x91; 200],
        ] {
            let value = line(b"id", Kind::Value, bytes);
            assert_eq!(value["form"], "bytes", "{bytes:?}");
            assert_eq!(STANDARD.decode(value["value"].as_str().unwrap()).unwrap(), bytes);
        }
    }

    #[test]
    fn a_key_that_is_no_text_is_base64() {
        for key in [&b"\x00\x01"[..], b"\xff", b"a\n"] {
            let value = line(key, Kind::Value, b"");
            assert!(value.get("key").is_none());
            assert_eq!(STANDARD.decode(value["keyBase64"].as_str().unwrap()).unwrap(), key);
        }
    }

    #[tokio::test]
    async fn all_rows_of_a_store_are_lines() {
        let store = Store::in_memory(stowage_storage::Config::default());
        store
            .update::<_, stowage_storage::Error>(|tx| {
                for n in 0..20_000_u32 {
                    tx.put("many", &n.to_be_bytes(), vec![b'x'; 40])?;
                }
                tx.add("numbers", b"a", 3)
            })
            .await
            .unwrap();
        let rows = store.checkpoint().await.unwrap();
        let (mut text, mut blocks) = (Vec::new(), 0);
        dump(&rows, None, |block| {
            blocks += 1;
            text.extend_from_slice(&block);
            true
        })
        .unwrap();
        assert!(blocks > 3, "{blocks}");
        assert_eq!(String::from_utf8(text).unwrap().lines().count(), 20_001);
        let mut one = Vec::new();
        dump(&rows, Some("numbers"), |block| {
            one.extend(block);
            true
        })
        .unwrap();
        assert_eq!(String::from_utf8(one).unwrap().lines().count(), 1);
        let mut taken = 0;
        dump(&rows, None, |_| {
            taken += 1;
            false
        })
        .unwrap();
        assert_eq!(taken, 1, "it ends when nobody reads");
        store.close().await;
    }
}
