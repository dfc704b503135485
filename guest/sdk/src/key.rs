//! Composite keys. Their byte order is the order of their parts.
//!
//! A text before the last part is stored with its length, so different tuples never make the same
//! key. The last text is stored without a length, so equal prefixes are ordered by it.

use crate::hash::sha256;

/// The longest identity of a row, in bytes. A key of 1024 bytes has room for two of them, a kind
/// and a time.
pub const MAX_IDENTITY_BYTES: usize = 480;

/// The longest key that storage accepts, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 1024;

/// The first byte of a text that is stored as its hash. No length of a text that fits into a key
/// begins with it.
const HASHED: u8 = 0xff;

/// Whether a text can be an identity: 1 to [`MAX_IDENTITY_BYTES`] bytes.
pub fn is_identity(text: &str) -> bool {
    (1..=MAX_IDENTITY_BYTES).contains(&text.len())
}

/// Builds a key.
#[derive(Debug, Clone, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// An empty key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a text with its length. If the text is too long for a key, the key is too long too.
    pub fn text(mut self, text: &str) -> Self {
        let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Appends a text with its length, or, if it has more than [`MAX_IDENTITY_BYTES`], its hash. So
    /// a text of any length fits.
    pub fn text_or_hash(self, text: &str) -> Self {
        if text.len() <= MAX_IDENTITY_BYTES {
            self.text(text)
        } else {
            self.byte(HASHED).fixed(&sha256(&[text]))
        }
    }

    /// Appends one byte.
    pub fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// Appends bytes of a fixed length.
    pub fn fixed<const N: usize>(mut self, bytes: &[u8; N]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a time. Negative times are before positive ones.
    pub fn time(mut self, time: i64) -> Self {
        self.0.extend_from_slice(&((time as u64) ^ (1 << 63)).to_be_bytes());
        self
    }

    /// Appends the last part and returns the key.
    pub fn tail(mut self, text: &str) -> Vec<u8> {
        self.0.extend_from_slice(text.as_bytes());
        self.0
    }

    /// The bytes so far: the prefix of all keys that begin with these parts.
    pub fn prefix(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes of a time in a key.
pub(crate) const TIME_BYTES: usize = 8;

/// The time in a key at this offset.
pub(crate) fn time_at(key: &[u8], at: usize) -> Option<i64> {
    let bytes = key.get(at..at + TIME_BYTES)?.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)) as i64)
}

/// The text that a key begins with, and its bytes in the key including the length.
pub(crate) fn leading_text(key: &[u8]) -> Option<(&str, usize)> {
    let (len, rest) = key.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_be_bytes(*len));
    Some((std::str::from_utf8(rest.get(..len)?).ok()?, 2 + len))
}

/// The first key after all keys that begin with `prefix`; none if there is no such key.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_ordered_from_the_smallest_to_the_largest() {
        let times = [i64::MIN, -1, 0, 1, 1_743_585_227, 1_744_104_587_216, i64::MAX];
        let keys: Vec<_> = times.iter().map(|&time| Key::new().time(time).prefix()).collect();
        assert!(keys.is_sorted());
        for time in times {
            let key = Key::new().text("folder").time(time).tail("x");
            assert_eq!(time_at(&key, 8), Some(time));
        }
        assert_eq!(time_at(&[0; 8], 1), None);
    }

    #[test]
    fn texts_with_nul_bytes_and_shared_prefixes_have_different_keys() {
        let folders = ["", "a", "a\0", "a\0\0", "ab", "\0", "图片"];
        let mut keys = Vec::new();
        for folder in folders {
            for tail in folders {
                keys.push(Key::new().text(folder).time(0).tail(tail));
            }
        }
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all);
        for folder in folders {
            let prefix = Key::new().text(folder).prefix();
            assert_eq!(
                keys.iter().filter(|key| key.starts_with(&prefix)).count(),
                folders.len()
            );
        }
    }

    #[test]
    fn a_text_of_any_length_fits_and_stays_distinct() {
        let longest = "x".repeat(MAX_IDENTITY_BYTES);
        assert_eq!(
            Key::new().text_or_hash(&longest).prefix(),
            Key::new().text(&longest).prefix()
        );
        let key = |text: &str| Key::new().text_or_hash(text).prefix();
        let keys = [key(&"x".repeat(481)), key(&"x".repeat(482)), key(&"y".repeat(100_000))];
        assert!(keys.iter().all(|key| key.len() == 33), "a marker and 32 bytes");
        assert!(keys[0] != keys[1] && keys[1] != keys[2]);
    }

    #[test]
    fn the_leading_text_of_a_key_is_read() {
        let key = Key::new().text("文件\0夹").time(5).tail("x");
        assert_eq!(leading_text(&key), Some(("文件\0夹", 2 + "文件\0夹".len())));
        assert_eq!(leading_text(&[0]), None);
        assert_eq!(leading_text(&[0, 5, b'a']), None);
    }

    #[test]
    fn a_prefix_of_the_largest_bytes_has_no_end() {
        assert_eq!(prefix_end(&[1, 255]), Some(vec![2]));
        assert_eq!(prefix_end(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(prefix_end(&[255, 255]), None);
        assert_eq!(prefix_end(&[]), None);
    }

    #[test]
    fn the_longest_identities_fit_into_a_key() {
        let text = "x".repeat(MAX_IDENTITY_BYTES);
        assert!(Key::new().text(&text).byte(1).time(0).tail(&text).len() <= MAX_KEY_BYTES);
    }
}
