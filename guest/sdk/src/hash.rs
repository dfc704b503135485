//! Hashes of the API: base58 of SHA-256.

use sha2::{Digest, Sha256};

/// Whether the text is the base58 of 32 bytes, as is the hash of stored bytes. The hash of a text
/// message is not.
pub fn is_hash(text: &str) -> bool {
    // 32 bytes are 32 (all zero) to 44 characters. The decoder is quadratic, so long texts are
    // refused first.
    let mut bytes = [0; 33];
    (32..=44).contains(&text.len()) && bs58::decode(text).onto(&mut bytes[..]) == Ok(32)
}

/// Base58 of the SHA-256 of the concatenated parts: 43 or 44 characters, rarely fewer.
pub fn base58_sha256(parts: &[&str]) -> String {
    bs58::encode(sha256(parts)).into_string()
}

/// The SHA-256 of the concatenated parts.
pub(crate) fn sha256(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_file_is_a_hash_and_the_hash_of_a_message_is_not() {
        assert!(is_hash("FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz"));
        assert!(is_hash("paQTTdxdvwfYUygWsZ8tCsXyExxGVF4YNJ1uh6GSRmm"));
        assert!(!is_hash(
            "3b5abc1c760a08bf6f635f861e9df1cae7de5c8577bdfb7498845e68150fcdc6"
        ));
        assert!(!is_hash(""));
        assert!(!is_hash("FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEh0"));
        assert!(!is_hash(&"z".repeat(44)), "33 bytes are no hash");
        assert!(is_hash(&"1".repeat(32)), "32 zero bytes are one");
        assert!(!is_hash(&"图".repeat(12)));
    }

    #[test]
    fn a_computed_hash_is_a_hash() {
        for text in ["", "a", "favorite"] {
            assert!(is_hash(&base58_sha256(&[text])));
        }
        assert_eq!(base58_sha256(&["ab", "c"]), base58_sha256(&["a", "bc"]));
    }
}
