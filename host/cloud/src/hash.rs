//! The name of a blob: the SHA-256 of its stored bytes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The SHA-256 of a blob's stored bytes. It is displayed as base58 (Bitcoin alphabet), as in the
/// API.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// Why a text is not a [`Hash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHashError {
    /// It does not have 43 or 44 characters, or 64 if it should be hexadecimal.
    #[error("a hash is base58 of 43 or 44 characters")]
    Length,
    /// It has a character outside the alphabet, or its value is not 32 bytes.
    #[error("a hash is the base58 of 32 bytes")]
    Value,
}

impl Hash {
    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// 64 lower-case hexadecimal digits, as in object names.
    pub fn to_hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }

    /// Reads 64 lower-case hexadecimal digits. Upper case is refused, because it names another
    /// object.
    ///
    /// # Errors
    /// [`ParseHashError`] for any other text.
    pub fn from_hex(text: &str) -> Result<Self, ParseHashError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(ParseHashError::Length);
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(ParseHashError::Value),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    /// Reads base58 of 43 or 44 characters. Every hash has exactly one such text.
    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        if !(43..=44).contains(&text.len()) {
            return Err(ParseHashError::Length);
        }
        let mut bytes = [0; 33];
        match bs58::decode(text).onto(&mut bytes) {
            Ok(32) => {}
            _ => return Err(ParseHashError::Value),
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(&bytes[..32]);
        let hash = Self(hash);
        // Other texts may have the same value, for example with other leading zeros.
        if hash.to_string() == text {
            Ok(hash)
        } else {
            Err(ParseHashError::Value)
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 44];
        let len = bs58::encode(&self.0).onto(&mut text[..]).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text[..len]).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`Hash`] from pieces of bytes.
#[derive(Clone, Default)]
pub struct Hasher {
    state: Sha256,
    len_bytes: u64,
}

impl Hasher {
    /// A hasher without bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.len_bytes += bytes.len() as u64;
    }

    /// How many bytes were added.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The hash of all added bytes.
    pub fn finish(self) -> Hash {
        Hash(self.state.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_from_both_its_forms() {
        for hash in [Hash::of(b""), Hash::of(b"stowage"), Hash::from_bytes([255; 32])] {
            assert_eq!(hash.to_string().parse(), Ok(hash));
            assert_eq!(Hash::from_hex(&hash.to_hex()), Ok(hash));
            assert!((43..=44).contains(&hash.to_string().len()));
        }
        assert_eq!(
            Hash::of(b"abc").to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_text_that_is_not_32_bytes_of_base58_is_refused() {
        let hash = Hash::of(b"x");
        for text in [
            "",
            "1",
            "../../etc/passwd",
            &hash.to_hex(),
            &"z".repeat(44),
            &"0".repeat(44),
            &"é".repeat(22),
        ] {
            assert!(text.parse::<Hash>().is_err(), "{text}");
        }
        assert!(Hash::from_hex(&hash.to_hex().to_uppercase()).is_err());
        assert!(Hash::from_hex(&"g".repeat(64)).is_err());
    }

    #[test]
    fn hashing_piece_by_piece_is_hashing_at_once() {
        let mut hasher = Hasher::new();
        hasher.update(b"sto");
        hasher.update(b"wage");
        assert_eq!(hasher.len_bytes(), 7);
        assert_eq!(hasher.finish(), Hash::of(b"stowage"));
    }
}
