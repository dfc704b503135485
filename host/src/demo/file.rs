//! The sample files: where their bytes come from, and what they are called by.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use stowage_cloud::{Hash, Hasher};
use tokio::io::{AsyncRead, ReadBuf};

use super::noise::Noise;
use super::{picture, voice};

/// The large file's size in bytes.
const LARGE_LEN_BYTES: u64 = 64 << 20;

/// How much of the large file is made at a time, in bytes.
const PIECE_BYTES: usize = 256 << 10;

const LARGE_SEED: u64 = 0x5374_6f77_6167_6531;

/// The bytes of a file.
#[derive(Debug, Clone)]
enum Content {
    /// All of them.
    Whole(Bytes),
    /// The large file, made piece by piece.
    Large,
}

/// A sample file.
#[derive(Debug, Clone)]
pub(super) struct File {
    content: Content,
    pub(super) hash: Hash,
    pub(super) len_bytes: u64,
}

impl File {
    fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            hash: Hash::of(&bytes),
            len_bytes: bytes.len() as u64,
            content: Content::Whole(bytes),
        }
    }

    /// Its bytes from the first.
    pub(super) fn reader(&self) -> Reader {
        match &self.content {
            Content::Whole(bytes) => Reader {
                now: bytes.clone(),
                later: None,
            },
            Content::Large => Reader {
                now: Bytes::new(),
                later: Some(Box::new(large_pieces())),
            },
        }
    }

    fn large() -> Self {
        let mut hasher = Hasher::new();
        for piece in large_pieces() {
            hasher.update(&piece);
        }
        Self {
            content: Content::Large,
            hash: hasher.finish(),
            len_bytes: LARGE_LEN_BYTES,
        }
    }
}

/// Reads the bytes of a [`File`]. It never waits.
pub(super) struct Reader {
    now: Bytes,
    later: Option<Box<dyn Iterator<Item = Bytes> + Send + Sync>>,
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.now.is_empty() {
            self.now = self.later.as_mut().and_then(Iterator::next).unwrap_or_default();
        }
        let len = self.now.len().min(out.remaining());
        out.put_slice(&self.now[..len]);
        self.now.advance(len);
        Poll::Ready(Ok(()))
    }
}

/// The large file's bytes, [`PIECE_BYTES`] at a time.
fn large_pieces() -> impl Iterator<Item = Bytes> + Send + Sync + 'static {
    let mut noise = Noise::new(LARGE_SEED);
    (0..LARGE_LEN_BYTES / PIECE_BYTES as u64).map(move |_| {
        let mut piece = vec![0; PIECE_BYTES];
        noise.fill(&mut piece);
        Bytes::from(piece)
    })
}

/// Every sample file. The documented ones have the documented size in bytes.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// 3024×4032 JPEG, 11.96 MB.
    pub(super) photo: File,
    /// 1053×1784 JPEG, 261677 bytes.
    pub(super) phone_photo: File,
    /// 2048×1536 JPEG; with the voice note it makes the documented 4.78 MB.
    pub(super) street: File,
    /// 86×93 PNG, 4.15 KB.
    pub(super) sticker: File,
    /// 640×400 PNG.
    pub(super) landscape: File,
    /// Ten seconds of WAV.
    pub(super) voice: File,
    /// Text.
    pub(super) notes: File,
    /// Text.
    pub(super) welcome: File,
    /// 8.32 KB of messages.
    pub(super) backup_1700: File,
    /// 2.33 KB of messages.
    pub(super) backup_1740: File,
    /// A group's messages.
    pub(super) backup_group: File,
    /// An `age` file that [`PASSWORD`](super::PASSWORD) opens.
    pub(super) diary: File,
    /// A DAPP of one page.
    pub(super) counter: File,
    /// 64 MiB of noise.
    pub(super) large: File,
}

impl Files {
    /// Makes them all. It computes for a few hundred milliseconds: not for an async thread.
    pub(super) fn make() -> Self {
        let text = |bytes: &'static [u8]| File::whole(Bytes::from_static(bytes));
        Self {
            photo: File::whole(picture::jpeg(3024, 4032, 11, 12_542_638)),
            phone_photo: File::whole(picture::jpeg(1053, 1784, 120, 261_677)),
            street: File::whole(picture::jpeg(2048, 1536, 200, 4_850_149)),
            sticker: File::whole(picture::png(86, 93, 1, "Xuanxuan")),
            landscape: File::whole(picture::png(640, 400, 60, "Landscape")),
            voice: File::whole(voice::wav(81_000)),
            notes: text(include_bytes!("../../demo-files/meeting-notes.txt")),
            welcome: text(include_bytes!("../../demo-files/welcome.txt")),
            backup_1700: text(include_bytes!("../../demo-files/backup-202504021700.txt")),
            backup_1740: text(include_bytes!("../../demo-files/backup-202504021740.txt")),
            backup_group: text(include_bytes!("../../demo-files/backup-202504091030.txt")),
            diary: text(include_bytes!("../../demo-files/diary.txt.age")),
            counter: text(include_bytes!("../../demo-files/counter.html")),
            large: File::large(),
        }
    }

    /// The files that the space holds.
    pub(super) fn in_space(&self) -> [&File; 11] {
        [
            &self.photo,
            &self.phone_photo,
            &self.landscape,
            &self.voice,
            &self.welcome,
            &self.backup_1700,
            &self.backup_1740,
            &self.backup_group,
            &self.diary,
            &self.counter,
            &self.large,
        ]
    }

    /// The temp files that are on this machine alone, until they are uploaded.
    pub(super) fn local_only(&self) -> [&File; 3] {
        [&self.street, &self.sticker, &self.notes]
    }
}

#[cfg(test)]
impl Files {
    /// Made once for all tests: painting is slow without optimization.
    pub(super) fn shared() -> &'static Self {
        static FILES: std::sync::OnceLock<Files> = std::sync::OnceLock::new();
        FILES.get_or_init(Self::make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[test]
    fn the_hashes_are_the_same_everywhere() {
        let files = Files::shared();
        for (file, len_bytes, hash) in [
            (&files.photo, 12_542_638, "J9fpURp4Mai2gNNCqi6KZyHEX7pn2NG2vopobKfet6oC"),
            (
                &files.phone_photo,
                261_677,
                "LQQyQjnvn5Tv7jj5wvBacmwti9PhDSRqafDdPg81vST",
            ),
            (&files.street, 4_850_149, "95BJ37bnCmveSjC8d2du3ZjzZMuskrw7bzJLJR1QsAk"),
            (&files.sticker, 4246, "LzXpLSqGeKgryL5hdMqyk5f9ZAmcGFMtPVvJ8gif2qr"),
            (
                &files.landscape,
                128_560,
                "8xArLCuGrkcdzYWQdidYK78L6uQkQCxu3tjDoXeCDyG4",
            ),
            (&files.voice, 162_044, "3dCxaQss62swLXpQiPnUGM7NEiQTHXNtnxXCcggFQbTT"),
            (&files.notes, 332, "77Qa9ajTMhiLs6KCduEkGXL47iZKLKabsPRkyxYfD2NH"),
            (&files.welcome, 174, "6DU6SgvdVxh3kCNxpjohuxBpHZr2FQKdmuMHXDrE1mhB"),
            (&files.backup_1700, 8520, "4gmaUiVEhBunShJsfb4xMvxLcjFiKBrFVz8MhrB6wq9B"),
            (&files.backup_1740, 2386, "3h5JKe61hjtemVVfyXB2UCP4LghvgnvGTNx4vakpkze5"),
            (&files.backup_group, 1215, "5DehZo8AFVSFvv7RT4Zzehp9x9MMh6etixzGT8EyHPm"),
            (&files.diary, 410, "GsmJzuun3L7Q7ryX7fULkGyUiJY4f3Nm7BN9S7sEkJCD"),
            (&files.counter, 168, "Ey37TauMKaFWnJDsDLTvydNsniEwxyNdrBgKwYktWUNQ"),
            (&files.large, 67_108_864, "HMA6Brkfir2AZsLAvKhGi1Hp4rWcxeACmVG1At4pV9uq"),
        ] {
            assert_eq!((file.len_bytes, file.hash.to_string().as_str()), (len_bytes, hash));
        }
    }

    #[tokio::test]
    async fn a_reader_gives_the_bytes_that_were_hashed() {
        let files = Files::shared();
        for file in [&files.sticker, &files.large] {
            let (mut reader, mut hasher) = (file.reader(), Hasher::new());
            let mut piece = vec![0; 100_003];
            loop {
                match reader.read(&mut piece).await.expect("memory is readable") {
                    0 => break,
                    len => hasher.update(&piece[..len]),
                }
            }
            assert_eq!((hasher.len_bytes(), hasher.finish()), (file.len_bytes, file.hash));
        }
    }
}
