//! The blob that a new row names.

use stowage_cloud_storage::Usage;
use stowage_sdk::rows::BlobFile;
use stowage_sdk::{Context, Error, is_hash, is_identity};

use crate::fields::{Fields, Platform};
use crate::parameters::non_empty;

/// A blob that exists, for a row that names it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Blob {
    /// Base58 of the SHA-256 of the stored bytes. For a text message, any text.
    pub(crate) hash: String,
    /// Bytes stored; 0 for a text message.
    pub(crate) size: u64,
    /// Whether a password protects it.
    pub(crate) protected: bool,
}

/// Where the bytes of a blob must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the space, because other devices read the row.
    Space,
    /// In the space or among the temp files of this machine.
    SpaceOrHere,
}

impl Blob {
    /// The blob of a message. A text message needs none.
    ///
    /// # Errors
    /// 600 a file without a hash; as [`Blob::of_text`] and [`Blob::find`].
    pub(crate) fn of_message(
        ctx: &dyn Context,
        fields: &Fields,
        hash: Option<String>,
        is_crypt: Option<u32>,
        place: Place,
    ) -> Result<Self, Error> {
        let hash = non_empty(hash);
        if fields.is_text() {
            return Self::of_text(hash, fields.msg_id.as_deref());
        }
        let expected = "the hash of a blob, or the message of a text in msgContent";
        let hash = hash.ok_or_else(|| Error::parameter("hash", expected))?;
        Self::find(ctx, &hash, is_crypt, place)
    }

    /// The blob of a text message. It has no bytes. Its hash is any text that the client chose, or
    /// that of the message.
    ///
    /// # Errors
    /// 600 a hash that is too long.
    fn of_text(hash: Option<String>, msg_id: Option<&str>) -> Result<Self, Error> {
        if hash.as_deref().is_some_and(|hash| !is_identity(hash)) {
            return Err(Error::parameter("hash", "at most 480 bytes"));
        }
        Ok(Self {
            // A hash of the text would name a blob that does not exist.
            hash: hash.unwrap_or_else(|| msg_id.filter(|id| !is_hash(id)).unwrap_or_default().to_owned()),
            size: 0,
            protected: false,
        })
    }

    /// Finds the blob with this hash. Another row may tell whether a password protects it.
    ///
    /// # Errors
    /// 60001 there is no such blob, or it is not where it must be; 600 a bad `isCrypt`; 500 the
    /// space cannot be reached.
    pub(crate) fn find(ctx: &dyn Context, hash: &str, is_crypt: Option<u32>, place: Place) -> Result<Self, Error> {
        let claimed = match is_crypt {
            None => None,
            Some(0) => Some(false),
            Some(1) => Some(true),
            Some(_) => return Err(Error::parameter("isCrypt", "a whole number from 0 to 1")),
        };
        if !is_hash(hash) {
            return Err(Error::no_file(hash));
        }
        let found = ctx.find_blob(hash)?.ok_or_else(|| Error::no_file(hash))?;
        if place == Place::Space && !found.in_space {
            return Err(Error::only_here(hash));
        }
        let named = (0..=4).find_map(|platform| BlobFile::find(ctx, platform, hash));
        Ok(Self {
            hash: hash.to_owned(),
            size: found.size,
            protected: named.map(|file| file.protected).or(claimed).unwrap_or(false),
        })
    }

    /// Checks that the space has room for the row with this blob. The row that it replaces makes
    /// room.
    ///
    /// # Errors
    /// 700 the space is full.
    pub(crate) fn check_room(&self, ctx: &dyn Context, platform: Platform, fields: &Fields) -> Result<(), Error> {
        let identity = fields.unique.as_deref().unwrap_or_default();
        let remaining = Usage::now(ctx).remaining();
        if self.size <= remaining.saturating_add(platform.bytes_of(ctx, identity)) {
            Ok(())
        } else {
            Err(Error::no_room(self.size, remaining))
        }
    }
}
