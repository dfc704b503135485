//! The sample files: the bytes committed under `host/demo-files`, some of them padded with noise.
//!
//! The hashes are constants, so that nothing is computed before a file is needed. A test compares
//! them with the bytes; the README and the rows of the set name some of them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use stowage_cloud::Hash;
use tokio::io::{AsyncRead, ReadBuf};

use super::noise::Noise;

/// How much noise is made at a time, in bytes. A multiple of 8, as [`Noise::fill`] wants it.
const PIECE_BYTES: u64 = 256 << 10;

/// A sample file.
#[derive(Debug)]
pub(super) struct File {
    /// The committed bytes, from the first.
    head: &'static [u8],
    /// The seed of the noise that follows `head` up to `len_bytes`.
    seed: u64,
    pub(super) len_bytes: u64,
    /// The SHA-256 of all bytes, in base58.
    base58: &'static str,
}

impl File {
    /// A file that is committed whole.
    const fn whole(head: &'static [u8], base58: &'static str) -> Self {
        Self::padded(head, head.len() as u64, 0, base58)
    }

    /// A file that noise makes `len_bytes` long. Noise after the end of a JPEG does not show:
    /// cameras append data of their own there.
    const fn padded(head: &'static [u8], len_bytes: u64, seed: u64, base58: &'static str) -> Self {
        Self {
            head,
            seed,
            len_bytes,
            base58,
        }
    }

    pub(super) fn hash(&self) -> Hash {
        self.base58.parse().expect("each constant is a hash, as a test checks")
    }

    /// Reads the file from its first byte.
    pub(super) fn reader(&self) -> Reader {
        Reader {
            piece: Bytes::from_static(self.head),
            noise: Noise::new(self.seed),
            noise_bytes: self.len_bytes - self.head.len() as u64,
        }
    }
}

/// Reads the bytes of a [`File`]. It never waits.
pub(super) struct Reader {
    /// The bytes that come next.
    piece: Bytes,
    noise: Noise,
    /// The bytes of noise that come after `piece`.
    noise_bytes: u64,
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.piece.is_empty() && self.noise_bytes > 0 {
            let len_bytes = self.noise_bytes.min(PIECE_BYTES);
            let mut piece = vec![0; len_bytes as usize];
            self.noise.fill(&mut piece);
            self.noise_bytes -= len_bytes;
            self.piece = piece.into();
        }
        let len = self.piece.len().min(out.remaining());
        out.put_slice(&self.piece[..len]);
        self.piece.advance(len);
        Poll::Ready(Ok(()))
    }
}

/// The bytes of a file under `host/demo-files`.
macro_rules! committed {
    ($name:literal) => {
        include_bytes!(concat!("../../demo-files/", $name))
    };
}

/// The files that the space holds.
pub(super) static IN_SPACE: [File; 11] = [
    // 3024×4032 JPEG, 11.96 MB.
    File::padded(
        committed!("photo.jpg"),
        12_542_638,
        11,
        "J9fpURp4Mai2gNNCqi6KZyHEX7pn2NG2vopobKfet6oC",
    ),
    // 1053×1784 JPEG.
    File::padded(
        committed!("phone-photo.jpg"),
        261_677,
        120,
        "LQQyQjnvn5Tv7jj5wvBacmwti9PhDSRqafDdPg81vST",
    ),
    // 640×400 PNG.
    File::whole(
        committed!("landscape.png"),
        "8xArLCuGrkcdzYWQdidYK78L6uQkQCxu3tjDoXeCDyG4",
    ),
    // A voice note of ten seconds.
    File::whole(committed!("voice.wav"), "3dCxaQss62swLXpQiPnUGM7NEiQTHXNtnxXCcggFQbTT"),
    File::whole(
        committed!("welcome.txt"),
        "6DU6SgvdVxh3kCNxpjohuxBpHZr2FQKdmuMHXDrE1mhB",
    ),
    // Backups of two chats, 8.32 KB and 2.33 KB, and of a group.
    File::whole(
        committed!("backup-202504021700.txt"),
        "4gmaUiVEhBunShJsfb4xMvxLcjFiKBrFVz8MhrB6wq9B",
    ),
    File::whole(
        committed!("backup-202504021740.txt"),
        "3h5JKe61hjtemVVfyXB2UCP4LghvgnvGTNx4vakpkze5",
    ),
    File::whole(
        committed!("backup-202504091030.txt"),
        "5DehZo8AFVSFvv7RT4Zzehp9x9MMh6etixzGT8EyHPm",
    ),
    // An `age` file that the password `stowage` opens.
    File::whole(
        committed!("diary.txt.age"),
        "GsmJzuun3L7Q7ryX7fULkGyUiJY4f3Nm7BN9S7sEkJCD",
    ),
    // A DAPP of one page.
    File::whole(
        committed!("counter.html"),
        "Ey37TauMKaFWnJDsDLTvydNsniEwxyNdrBgKwYktWUNQ",
    ),
    // 64 MiB of noise, to see a download make progress.
    File::padded(
        b"",
        64 << 20,
        0x5374_6f77_6167_6531,
        "HMA6Brkfir2AZsLAvKhGi1Hp4rWcxeACmVG1At4pV9uq",
    ),
];

/// The temp files that only this machine has, until they are uploaded.
pub(super) static LOCAL_ONLY: [File; 3] = [
    // 2048×1536 JPEG. With the voice note it makes the documented 4.78 MB.
    File::padded(
        committed!("street.jpg"),
        4_850_149,
        200,
        "95BJ37bnCmveSjC8d2du3ZjzZMuskrw7bzJLJR1QsAk",
    ),
    // 86×93 PNG, 4.15 KB.
    File::whole(committed!("sticker.png"), "LzXpLSqGeKgryL5hdMqyk5f9ZAmcGFMtPVvJ8gif2qr"),
    File::whole(
        committed!("meeting-notes.txt"),
        "77Qa9ajTMhiLs6KCduEkGXL47iZKLKabsPRkyxYfD2NH",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use stowage_cloud::Hasher;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn every_file_has_the_length_and_the_hash_that_it_claims() {
        for file in IN_SPACE.iter().chain(&LOCAL_ONLY) {
            let (mut reader, mut hasher) = (file.reader(), Hasher::new());
            let mut piece = vec![0; 100_003];
            loop {
                match reader.read(&mut piece).await.expect("memory is readable") {
                    0 => break,
                    len => hasher.update(&piece[..len]),
                }
            }
            assert_eq!(
                (hasher.len_bytes(), hasher.finish()),
                (file.len_bytes, file.hash()),
                "{}",
                file.base58
            );
        }
    }
}
