//! Protected blobs: `age` files with a passphrase recipient.
//!
//! A key is derived with scrypt, which takes 1 KiB · 2^factor of memory. The header of the file
//! names the factor. All derivations together take at most [`MEMORY_LIMIT_MIB`]. One that needs
//! more runs alone.

use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use futures_util::TryStreamExt as _;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::attempts::Attempts;
use crate::{Error, Hash, Space, blob, memory};

/// A reader whose first bytes were read and are read again.
pub type ReadAgain<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// The most bytes that are read to check a password. A header has less than 1 KiB.
const HEADER_LIMIT_BYTES: u64 = 64 << 10;
/// The most work a header may ask for, as the `age` command allows: 16 seconds and 4 GiB.
const WORK_FACTOR_LIMIT: u8 = 22;
/// The work for a file that this host sealed: N = 2^15.
const WORK_FACTOR: u8 = 15;
/// Keys that are derived at once.
const DERIVATIONS_AT_ONCE: usize = 2;
/// MiB of memory for the keys that are derived at once.
const MEMORY_LIMIT_MIB: u32 = 1024;
/// Passwords that are checked or wait for it.
const CHECKS_LIMIT: usize = 64;
/// When a caller that found no place among them may try again.
const CHECKS_PAUSE: Duration = Duration::from_secs(5);

/// Why a protected file was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenSealedError {
    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// It is not an `age` file with a passphrase.
    #[error("not a file that a password opens: {0}")]
    Malformed(#[source] HeaderError),
    /// Its header asks for too much work.
    #[error("it was sealed with a work factor of {0}, the most is {WORK_FACTOR_LIMIT}; seal it again with a lower one")]
    TooMuchWork(u8),
    /// The file could not be read, or there is not enough memory to open it.
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

/// Checks passwords and opens files, with limits on work and memory. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    checks: Arc<Semaphore>,
    derivations: Arc<Semaphore>,
    memory_mib: Arc<Semaphore>,
    attempts: Arc<Mutex<Attempts>>,
}

/// The right to derive one key.
struct Turn {
    /// The most work that it covers.
    work_factor: u8,
    _derivation: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            checks: Arc::new(Semaphore::new(CHECKS_LIMIT)),
            derivations: Arc::new(Semaphore::new(DERIVATIONS_AT_ONCE)),
            memory_mib: Arc::new(Semaphore::new(MEMORY_LIMIT_MIB as usize)),
            attempts: Arc::default(),
        }
    }
}

impl Passwords {
    /// Whether a password opens a protected blob. It reads the header only. A caller that goes away
    /// while it waits for its turn leaves nothing behind.
    pub(crate) async fn check(&self, space: &Space, hash: &Hash, password: Option<&str>) -> Result<bool, Error> {
        let object = blob::path(hash);
        let Some(info) = space.head_blob(hash).await? else {
            return Err(Error::Missing { object });
        };
        let Some(password) = password else { return Ok(false) };
        let Ok(_check) = self.checks.try_acquire() else {
            return Err(Error::TooManyAttempts {
                object,
                retry_after: CHECKS_PAUSE,
            });
        };
        self.may_try(&object, hash)?;
        let head = space.read_blob(hash, 0..info.size.min(HEADER_LIMIT_BYTES)).await?;
        let head: Vec<u8> = head
            .try_fold(Vec::new(), |mut head, bytes| async move {
                head.extend_from_slice(&bytes);
                Ok(head)
            })
            .await?;
        let turn = match self.turn(work_factor(&head)).await {
            Ok(turn) => turn,
            Err(error) => return Err(unopened(object, error)),
        };
        // Asked again: others may have tried passwords meanwhile.
        self.may_try(&object, hash)?;
        match unlock(io::Cursor::new(head), password, turn).await {
            Ok(_) => Ok(true),
            Err(OpenSealedError::WrongPassword) => {
                self.attempts.lock().add_wrong(hash, Instant::now());
                Ok(false)
            }
            Err(error) => Err(unopened(object, error)),
        }
    }

    /// Opens a protected file at its beginning on a blocking thread, after waiting for a turn.
    pub(crate) async fn open<R>(
        &self,
        mut input: R,
        password: &str,
    ) -> Result<SealedReader<ReadAgain<R>>, OpenSealedError>
    where
        R: Read + Send + 'static,
    {
        let looked = tokio::task::spawn_blocking(move || {
            let mut head = Vec::new();
            input.by_ref().take(HEADER_LIMIT_BYTES).read_to_end(&mut head)?;
            let work_factor = work_factor(&head);
            Ok::<_, io::Error>((Read::chain(Cursor::new(head), input), work_factor))
        });
        let (input, work_factor) = looked.await.map_err(io::Error::other)??;
        let turn = self.turn(work_factor).await?;
        unlock(input, password, turn).await
    }

    /// Fails while too many wrong passwords were tried for a blob.
    fn may_try(&self, object: &str, hash: &Hash) -> Result<(), Error> {
        match self.attempts.lock().pause(hash, Instant::now()) {
            Some(retry_after) => Err(Error::TooManyAttempts {
                object: object.to_owned(),
                retry_after,
            }),
            None => Ok(()),
        }
    }

    /// Waits for the right to derive a key of this work factor.
    async fn turn(&self, work_factor: Option<u8>) -> Result<Turn, OpenSealedError> {
        // Without one, no key is derived: the header is wrong.
        let work_factor = work_factor.unwrap_or(0);
        if work_factor > WORK_FACTOR_LIMIT {
            return Err(OpenSealedError::TooMuchWork(work_factor));
        }
        let derivation = Arc::clone(&self.derivations).acquire_owned();
        let derivation = derivation.await.map_err(io::Error::other)?;
        let memory = Arc::clone(&self.memory_mib).acquire_many_owned(memory_mib(work_factor).min(MEMORY_LIMIT_MIB));
        let memory = memory.await.map_err(io::Error::other)?;
        Ok(Turn {
            work_factor,
            _derivation: derivation,
            _memory: memory,
        })
    }
}

/// The memory for a key, rounded up to whole MiB.
fn memory_mib(work_factor: u8) -> u32 {
    1 << work_factor.clamp(10, WORK_FACTOR_LIMIT).saturating_sub(10)
}

/// The work factor that the header of a file names. `None` if it is not the header of a file with a
/// passphrase. A passphrase is always the only recipient.
fn work_factor(head: &[u8]) -> Option<u8> {
    let mut lines = head.split(|byte| *byte == b'\n');
    if lines.next()? != b"age-encryption.org/v1" {
        return None;
    }
    let words: Vec<_> = std::str::from_utf8(lines.next()?).ok()?.split(' ').collect();
    match words[..] {
        ["->", "scrypt", _, work_factor] => work_factor.parse().ok(),
        _ => None,
    }
}

async fn unlock<R>(input: R, password: &str, turn: Turn) -> Result<SealedReader<R>, OpenSealedError>
where
    R: Read + Send + 'static,
{
    let password = SecretString::from(password.to_owned());
    let opened = tokio::task::spawn_blocking(move || {
        let turn = turn;
        memory::check_available(u64::from(memory_mib(turn.work_factor)) << 20)?;
        open_sealed(input, password, turn.work_factor)
    });
    opened.await.map_err(io::Error::other)?
}

fn open_sealed<R: Read>(
    input: R,
    password: SecretString,
    work_factor_limit: u8,
) -> Result<SealedReader<R>, OpenSealedError> {
    let decryptor = Decryptor::new(input).map_err(refused)?;
    if !decryptor.is_scrypt() {
        return Err(OpenSealedError::Malformed(HeaderError::NoPassphrase));
    }
    let mut identity = scrypt::Identity::new(password);
    identity.set_max_work_factor(work_factor_limit);
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
        DecryptError::ExcessiveWork { required, .. } => return OpenSealedError::TooMuchWork(required),
        DecryptError::InvalidHeader => HeaderError::Invalid,
        DecryptError::InvalidMac => HeaderError::Changed,
        other => HeaderError::Other(other),
    };
    OpenSealedError::Malformed(error)
}

/// Why no password opened a blob. Its header is in memory.
fn unopened(object: String, error: OpenSealedError) -> Error {
    match error {
        OpenSealedError::TooMuchWork(work_factor) => Error::TooMuchWork {
            object,
            work_factor,
            limit: WORK_FACTOR_LIMIT,
        },
        OpenSealedError::Io(error) if error.kind() == io::ErrorKind::OutOfMemory => Error::local(object, error),
        // Of the bytes in memory, so it is no read error: they are not a header.
        other => Error::malformed(object, other),
    }
}

/// Encrypts `input` into `output` with a password. Returns how many bytes were read. It blocks: do
/// not call it in an async task.
///
/// # Errors
/// What reading and writing return. Then the output is incomplete.
pub fn seal(input: impl Read, output: impl Write, password: &str) -> io::Result<u64> {
    seal_with(WORK_FACTOR, input, output, password)
}

/// Held while a key is derived to seal a file, which takes 32 MiB. However many files are sealed,
/// one key is derived at a time.
static SEALING: Mutex<()> = Mutex::new(());

fn seal_with(work_factor: u8, mut input: impl Read, output: impl Write, password: &str) -> io::Result<u64> {
    let deriving = SEALING.lock();
    let mut recipient = scrypt::Recipient::new(SecretString::from(password.to_owned()));
    recipient.set_work_factor(work_factor);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient));
    let encryptor = encryptor.map_err(io::Error::other)?;
    let mut writer = encryptor.wrap_output(output)?;
    drop(deriving);
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

    /// A header with this work factor, for a password that nobody knows.
    fn header(work_factor: &str) -> Vec<u8> {
        let zeros = "A".repeat(43);
        format!(
            "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA {work_factor}\n{zeros}\n--- {zeros}\n\
             0123456789abcdef"
        )
        .into_bytes()
    }

    #[tokio::test]
    async fn a_work_factor_up_to_22_gets_a_turn_and_a_higher_one_is_refused_by_its_number() {
        let (space, passwords) = (space().await, Passwords::default());
        for factor in [1, 15, 18, 19, 22] {
            assert_eq!(work_factor(&header(&factor.to_string())), Some(factor));
            let turn = passwords.turn(Some(factor)).await.expect("not too much");
            assert_eq!(turn.work_factor, factor);
        }
        for factor in [23, 40, 255] {
            let hash = put(&space, &header(&factor.to_string())).await;
            let checked = passwords.check(&space, &hash, Some("x")).await;
            assert!(
                matches!(checked, Err(Error::TooMuchWork { work_factor, limit: 22, .. }) if work_factor == factor),
                "{checked:?}"
            );
            let opened = passwords.open(io::Cursor::new(header(&factor.to_string())), "x").await;
            assert!(matches!(opened, Err(OpenSealedError::TooMuchWork(found)) if found == factor));
        }
    }

    /// Files of pyrage, which takes 19, were answered with "the space is malformed".
    #[tokio::test]
    #[cfg_attr(debug_assertions, ignore = "scrypt takes too long without optimisation")]
    async fn a_file_that_another_program_sealed_with_more_work_is_opened() {
        let mut sealed = Vec::new();
        seal_with(19, &b"plain"[..], &mut sealed, "right").expect("memory takes it");
        let (space, passwords) = (space().await, Passwords::default());
        let hash = put(&space, &sealed).await;
        assert!(passwords.check(&space, &hash, Some("right")).await.expect("an answer"));
    }

    #[tokio::test]
    async fn keys_that_are_derived_at_once_share_the_memory_and_the_largest_has_it_alone() {
        use futures_util::FutureExt as _;
        let passwords = Passwords::default();
        let free = |passwords: &Passwords| passwords.memory_mib.available_permits();
        let largest = passwords.turn(Some(22)).await.expect("a turn");
        assert_eq!(free(&passwords), 0);
        assert!(passwords.turn(Some(10)).now_or_never().is_none(), "it waits");
        drop(largest);
        let one = passwords.turn(Some(19)).await.expect("a turn");
        let other = passwords.turn(Some(19)).await.expect("a turn");
        assert_eq!(free(&passwords), 0, "512 MiB each");
        assert!(passwords.turn(Some(10)).now_or_never().is_none(), "it waits");
        drop((one, other));
        assert_eq!(
            free(&passwords),
            MEMORY_LIMIT_MIB as usize,
            "a caller that went away holds nothing"
        );
        assert_eq!(passwords.derivations.available_permits(), DERIVATIONS_AT_ONCE);
    }

    #[tokio::test]
    async fn after_ten_wrong_passwords_a_blob_takes_none_for_a_minute() {
        let mut sealed = Vec::new();
        seal_with(1, &b"plain"[..], &mut sealed, "right").expect("memory takes it");
        let (space, passwords) = (space().await, Passwords::default());
        let hash = put(&space, &sealed).await;
        let other = put(&space, &[&sealed[..], b"more"].concat()).await;
        let check = async |hash: Hash, password: &str| passwords.check(&space, &hash, Some(password)).await;
        for number in 0..10 {
            assert!(!check(hash, &format!("wrong {number}")).await.expect("an answer"));
        }
        for password in ["wrong", "right"] {
            let checked = check(hash, password).await;
            assert!(
                matches!(&checked, Err(Error::TooManyAttempts { retry_after, .. }) if !retry_after.is_zero()),
                "{checked:?}"
            );
        }
        assert!(check(other, "right").await.expect("another blob is not concerned"));
    }

    #[tokio::test]
    async fn a_blob_that_is_no_age_file_is_malformed() {
        let (space, passwords) = (space().await, Passwords::default());
        for bytes in [
            &b"plain text"[..],
            b"",
            b"age-encryption.org/v1\n-> scrypt",
            &header("0x10"),
            &header("256"),
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
