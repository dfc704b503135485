//! Sorted keys in one allocation.

/// The bytes of all keys, and the end of each key in them.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Keys {
    /// Copies sorted keys. Their total must be below 4 GiB; a batch is far smaller.
    pub(crate) fn copied<'k>(keys: impl Iterator<Item = &'k [u8]> + Clone) -> Keys {
        let (mut len, mut bytes) = (0, 0);
        for key in keys.clone() {
            len += 1;
            bytes += key.len();
        }
        let mut copied = Keys {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(len),
        };
        for key in keys {
            copied.bytes.extend_from_slice(key);
            copied.ends.push(copied.bytes.len() as u32);
        }
        copied
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all keys.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.key(at))
    }

    /// The first key that is not before `start`.
    pub(crate) fn first_from(&self, start: &[u8]) -> Option<&[u8]> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) < start {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < self.len()).then(|| self.key(low))
    }

    fn key(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..self.ends[at] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_are_found() {
        let held = [&b""[..], b"a", b"bc", b"d"];
        let keys = Keys::copied(held.iter().copied());
        assert_eq!(keys.iter().collect::<Vec<_>>(), held);
        assert_eq!((keys.len(), keys.bytes()), (4, 4));
        for (start, first) in [
            ("", Some(&b""[..])),
            ("a", Some(b"a")),
            ("aa", Some(b"bc")),
            ("d", Some(b"d")),
            ("e", None),
        ] {
            assert_eq!(keys.first_from(start.as_bytes()), first, "{start}");
        }
        assert_eq!(Keys::default().first_from(b""), None);
    }
}
