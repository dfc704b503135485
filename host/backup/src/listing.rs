//! The backups at a place.

use serde::{Deserialize, Serialize};

use crate::backup::now_ms;
use crate::error::Error;
use crate::manifest::{Host, Manifest, Stored};
use crate::target::Target;

/// A backup, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its identifier.
    pub id: String,
    /// The moment of its rows, in milliseconds since 1970.
    pub at: u64,
    /// The host that it is of.
    pub host: Host,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub row_bytes: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Files that it lacks.
    pub skipped: u64,
    /// What it added to the place.
    pub stored: Stored,
}

/// The backups at a place, and those that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// The backups, oldest first.
    pub backups: Vec<Listed>,
    /// Manifests that cannot be read, and why.
    pub unreadable: Vec<Unreadable>,
}

/// A backup that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its identifier.
    pub id: String,
    /// Why.
    pub reason: String,
}

impl From<&Manifest> for Listed {
    fn from(manifest: &Manifest) -> Self {
        Listed {
            id: manifest.id.clone(),
            at: manifest.at,
            host: manifest.host.clone(),
            rows: manifest.rows,
            row_bytes: manifest.bytes,
            files: manifest.files.len() as u64,
            file_bytes: manifest.file_bytes(),
            skipped: manifest.skipped.len() as u64,
            stored: manifest.stored,
        }
    }
}

/// Lists the backups at a place.
///
/// # Errors
/// [`Error::NoBackups`] if it is no place of backups, [`Error::Store`].
pub async fn list(target: &Target) -> Result<Listing, Error> {
    target.check().await?;
    let mut listing = Listing::default();
    for id in target.ids().await? {
        match target.manifest(&id).await {
            Ok(manifest) => listing.backups.push(Listed::from(&manifest)),
            // Somebody removed it a moment ago.
            Err(Error::NoSuchBackup { .. }) => {}
            Err(error @ (Error::Damaged { .. } | Error::NewerFormat { .. })) => listing.unreadable.push(Unreadable {
                id,
                reason: error.to_string(),
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(listing)
}

/// The time of the newest backup of a host, in milliseconds since 1970. `None` if it has none. One
/// of the future does not count: else no backup would be due until its time comes.
///
/// # Errors
/// [`Error::Store`].
pub async fn newest_of(target: &Target, host: &Host) -> Result<Option<u64>, Error> {
    match target.check().await {
        Err(Error::NoBackups { .. }) => return Ok(None),
        checked => checked?,
    }
    for id in target.ids().await?.into_iter().rev() {
        match target.manifest(&id).await {
            Ok(manifest) if manifest.host == *host && manifest.is_of_future(now_ms()) => {
                tracing::warn!(
                    id,
                    "a backup of the future does not count; remove it if a clock was wrong"
                );
            }
            Ok(manifest) if manifest.host == *host => return Ok(Some(manifest.at)),
            Err(error @ Error::Store { .. }) => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}

/// The manifest of a backup: the named one, or the newest if all are of one host.
///
/// # Errors
/// [`Error::NoBackups`], [`Error::SeveralHosts`], [`Error::OfFuture`], and those of
/// [`Target::manifest`].
pub async fn choose(target: &Target, id: Option<&str>) -> Result<Manifest, Error> {
    target.check().await?;
    if let Some(id) = id {
        return target.manifest(id).await;
    }
    let (mut newest, mut of_future): (Vec<Manifest>, _) = (Vec::new(), None);
    for id in target.ids().await?.into_iter().rev() {
        match target.manifest(&id).await {
            Ok(manifest) if manifest.is_of_future(now_ms()) => of_future = of_future.or(Some(id)),
            Ok(manifest) if newest.iter().all(|known| known.host != manifest.host) => newest.push(manifest),
            Ok(_) | Err(Error::NoSuchBackup { .. }) => {}
            // A damaged newest backup must not be passed over in silence.
            Err(error) => return Err(error),
        }
    }
    match (newest.len(), of_future) {
        // Whoever restores must know, and not get an old state in silence, or one of a wrong clock.
        (0 | 1, Some(id)) => Err(Error::OfFuture {
            place: target.name().to_owned(),
            id,
        }),
        (0, None) => Err(Error::NoBackups {
            place: target.name().to_owned(),
        }),
        (1, None) => Ok(newest.remove(0)),
        _ => Err(Error::SeveralHosts {
            place: target.name().to_owned(),
            newest: newest
                .iter()
                .map(|manifest| format!("{} of {}:{}", manifest.id, manifest.host.name, manifest.host.data))
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}
