//! Finds a row of a space by the value of a field.

use crate::{Collection, Error, Space};

/// The identity of a row whose field has this value.
pub(super) async fn find(
    space: &Space,
    collection: &'static Collection,
    field: &str,
    value: &str,
) -> Result<Option<String>, Error> {
    for listed in space.segments(collection).await? {
        let segment = match space.read_segment(collection, &listed.segment).await {
            Ok((segment, _)) => segment,
            Err(Error::Missing { .. } | Error::Malformed { .. }) => continue,
            Err(error) => return Err(error),
        };
        let mut identities: Vec<_> = segment.identities().collect();
        identities.sort();
        for identity in identities {
            let row = segment.row(identity);
            if row.is_some_and(|row| row.fields.get(field).and_then(|v| v.as_str()) == Some(value)) {
                return Ok(Some(identity.clone()));
            }
        }
    }
    Ok(None)
}
