//! Protected blobs: `age` files with a passphrase recipient.

use std::io::{self, Read, Write};
use std::sync::Arc;

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use futures_util::TryStreamExt as _;
use tokio::sync::Semaphore;

use crate::{Error, Hash, Space, blob};

/// The most bytes that are read to check a password. A header has less than 1 KiB.
const HEADER_LIMIT_BYTES: u64 = 64 << 10;
/// The most work a header may ask for: N = 2^18, about a second and 256 MiB.
const WORK_FACTOR_LIMIT: u8 = 18;
/// The work for a file that this host sealed: N = 2^15.
const WORK_FACTOR: u8 = 15;
/// Keys that are derived at once. Each may take the memory of [`WORK_FACTOR_LIMIT`].
const DERIVATIONS_AT_ONCE: usize = 2;

/// Why a protected file was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenSealedError {
    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// It is not an `age` file with a passphrase, or its header asks for too much work.
    #[error("not a file that a password opens: {0}")]
    Malformed(#[source] HeaderError),
    /// The file could not be read.
    #[error("reading the protected file: {0}")]
    Io(#[from] io::Error),
}

/// What is wrong with the header of a protected file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The file is for keys, not for a passphrase.
    #[error("it has no passphrase recipient")]
    NoPassphrase,
    /// It asks for too much work.
    #[error("it asks for a work factor of {0}, the most is {WORK_FACTOR_LIMIT}")]
    TooMuchWork(u8),
    /// The file ends within the header.
    #[error("its header is cut short")]
    CutShort(#[source] io::Error),
    /// It is not the header of an `age` file.
    #[error("its header is not valid")]
    Invalid,
    /// Its checksum is wrong.
    #[error("its header was changed")]
    Changed,
    /// Something else.
    #[error("{0}")]
    Other(#[source] DecryptError),
}

/// The plaintext of a protected file. Reading fails with [`io::ErrorKind::InvalidData`] if the file
/// was changed, and with [`io::ErrorKind::UnexpectedEof`] if it was cut short.
pub type SealedReader<R> = age::stream::StreamReader<R>;

/// Checks passwords, a limited number at once. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    derivations: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            derivations: Arc::new(Semaphore::new(DERIVATIONS_AT_ONCE)),
        }
    }
}

impl Passwords {
    /// Whether a password opens a protected blob. It reads the header only.
    pub(crate) async fn check(&self, space: &Space, hash: &Hash, password: Option<&str>) -> Result<bool, Error> {
        let object = blob::path(hash);
        let Some(info) = space.head_blob(hash).await? else {
            return Err(Error::Missing { object });
        };
        let Some(password) = password else { return Ok(false) };
        let head = space.read_blob(hash, 0..info.size.min(HEADER_LIMIT_BYTES)).await?;
        let head: Vec<u8> = head
            .try_fold(Vec::new(), |mut head, bytes| async move {
                head.extend_from_slice(&bytes);
                Ok(head)
            })
            .await?;
        match self.open(io::Cursor::new(head), password).await {
            Ok(_) => Ok(true),
            Err(OpenSealedError::WrongPassword) => Ok(false),
            Err(OpenSealedError::Malformed(error)) => Err(Error::malformed(object, error)),
            // The bytes are in memory, so it is no read error: they are not a header.
            Err(OpenSealedError::Io(error)) => Err(Error::malformed(object, error)),
        }
    }

    /// Opens a protected file on a blocking thread, after waiting for a turn.
    pub(crate) async fn open<R>(&self, input: R, password: &str) -> Result<SealedReader<R>, OpenSealedError>
    where
        R: Read + Send + 'static,
    {
        let permit = Arc::clone(&self.derivations)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let password = SecretString::from(password.to_owned());
        let opened = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            open_sealed(input, password)
        });
        opened.await.map_err(io::Error::other)?
    }
}

fn open_sealed<R: Read>(input: R, password: SecretString) -> Result<SealedReader<R>, OpenSealedError> {
    let decryptor = Decryptor::new(input).map_err(refused)?;
    if !decryptor.is_scrypt() {
        return Err(OpenSealedError::Malformed(HeaderError::NoPassphrase));
    }
    let mut identity = scrypt::Identity::new(password);
    identity.set_max_work_factor(WORK_FACTOR_LIMIT);
    decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(refused)
}

fn refused(error: DecryptError) -> OpenSealedError {
    let error = match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            return OpenSealedError::WrongPassword;
        }
        DecryptError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => HeaderError::CutShort(error),
        DecryptError::Io(error) => return OpenSealedError::Io(error),
        DecryptError::ExcessiveWork { required, .. } => HeaderError::TooMuchWork(required),
        DecryptError::InvalidHeader => HeaderError::Invalid,
        DecryptError::InvalidMac => HeaderError::Changed,
        other => HeaderError::Other(other),
    };
    OpenSealedError::Malformed(error)
}

/// Encrypts `input` into `output` with a password. Returns how many bytes were read. It blocks: do
/// not call it in an async task.
///
/// # Errors
/// What reading and writing return. Then the output is incomplete.
pub fn seal(input: impl Read, output: impl Write, password: &str) -> io::Result<u64> {
    seal_with(WORK_FACTOR, input, output, password)
}

fn seal_with(work_factor: u8, mut input: impl Read, output: impl Write, password: &str) -> io::Result<u64> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(password.to_owned()));
    recipient.set_work_factor(work_factor);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient));
    let encryptor = encryptor.map_err(io::Error::other)?;
    let mut writer = encryptor.wrap_output(output)?;
    let len_bytes = io::copy(&mut input, &mut writer)?;
    writer.finish()?.flush()?;
    Ok(len_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OpenOptions;

    async fn space() -> Space {
        let options = OpenOptions {
            create: Some(1),
            ..OpenOptions::default()
        };
        Space::open("memory:///", options).await.expect("memory")
    }

    async fn put(space: &Space, bytes: &[u8]) -> Hash {
        let hash = Hash::of(bytes);
        space.put_blob(bytes, &hash, bytes.len() as u64).await.expect("stored");
        hash
    }

    #[tokio::test]
    async fn only_the_right_password_opens_a_sealed_blob() {
        let plain = vec![7; 200_000];
        let mut sealed = Vec::new();
        seal_with(10, &plain[..], &mut sealed, "stowage").expect("memory takes it");
        let (space, passwords) = (space().await, Passwords::default());
        let hash = put(&space, &sealed).await;
        for (password, opens) in [
            (Some("stowage"), true),
            (Some("Stowage"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(
                passwords.check(&space, &hash, password).await.expect("an age file"),
                opens,
                "{password:?}"
            );
        }
        let mut reader = passwords
            .open(io::Cursor::new(sealed.clone()), "stowage")
            .await
            .expect("the right one");
        let mut opened = Vec::new();
        reader.read_to_end(&mut opened).expect("whole");
        assert_eq!(opened, plain);
        sealed.truncate(sealed.len() - 1);
        let mut reader = passwords
            .open(io::Cursor::new(sealed), "stowage")
            .await
            .expect("the header is whole");
        assert!(
            reader.read_to_end(&mut Vec::new()).is_err(),
            "a file that was cut short does not pass"
        );
    }

    #[tokio::test]
    async fn a_blob_that_is_no_age_file_or_asks_for_too_much_work_is_malformed() {
        let (space, passwords) = (space().await, Passwords::default());
        let costly = "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 40\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- \
            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef";
        for bytes in [
            &b"plain text"[..],
            b"",
            b"age-encryption.org/v1\n-> scrypt",
            costly.as_bytes(),
            &[b'a'; 100_000],
        ] {
            let hash = put(&space, bytes).await;
            let checked = passwords.check(&space, &hash, Some("x")).await;
            assert!(matches!(checked, Err(Error::Malformed { .. })), "{checked:?}");
        }
        let checked = passwords.check(&space, &Hash::of(b"nothing"), Some("x")).await;
        assert!(matches!(checked, Err(Error::Missing { .. })));
    }
}
