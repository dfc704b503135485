//! The signature section of a module.
//!
//! `wasmsign2` allocates what a length in the module says before it reads so many bytes, and it
//! tries each key on each signature. So the section is read here first: a module of strangers costs
//! little memory and little time.
//!
//! The section is accepted only if each signature is over exactly one hash. The format also knows
//! signatures over several hashes, for parts of a module. With one of these, a module that is cut
//! off at the end of a part would still count as signed.

use stowage_logic::Version;

/// The bytes before the first section: the magic number, the version and the layer.
const HEADER_BYTES: usize = 8;
/// The name of the section.
const NAME: &[u8] = b"signature";
/// The first bytes of its content: the version of the format, a module, SHA-256.
const KIND: [u8; 3] = [1, 1, 1];
/// The number of Ed25519.
const ED25519: u8 = 1;
/// Most bytes of the section.
const MAX_BYTES: usize = 16 << 10;
/// Most signatures of a module.
const MAX_SIGNATURES: usize = 16;
/// Most bytes that name a key.
const MAX_KEY_ID_BYTES: usize = 64;
/// The bytes of a signature.
const SIGNATURE_BYTES: usize = 64;
/// The bytes of a hash.
const HASH_BYTES: usize = 32;

/// Why a module has no signature section that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SectionError {
    /// The module does not begin with one.
    #[error("it is not signed")]
    Missing,
    /// The section cannot be read.
    #[error("its signature section is damaged: {0}")]
    Damaged(&'static str),
    /// A signature is over parts of the module.
    #[error("a signature is over parts of it; expected signatures over all of it")]
    Partial,
    /// It has too many signatures.
    #[error("it has more than {MAX_SIGNATURES} signatures")]
    TooMany,
}

/// A signature section that can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section<'a> {
    /// The hashes that are signed. Each is to be that of the bytes after the section.
    pub(super) hashes: Vec<Version>,
    /// The bytes after the section.
    pub(super) rest: &'a [u8],
}

impl<'a> Section<'a> {
    /// Reads the signature section of a module.
    ///
    /// # Errors
    /// When there is none, or it is damaged, over parts, or too large.
    pub(super) fn read(module: &'a [u8]) -> Result<Section<'a>, SectionError> {
        let mut module = Bytes(module.get(HEADER_BYTES..).ok_or(SectionError::Missing)?);
        // Any other section is the first of an unsigned module.
        if module.byte() != Some(0) {
            return Err(SectionError::Missing);
        }
        let content = module.part().ok_or(SectionError::Missing)?;
        let mut content = Bytes(content);
        if content.part() != Some(NAME) {
            return Err(SectionError::Missing);
        }
        if content.0.len() > MAX_BYTES {
            return Err(SectionError::Damaged("it is too long"));
        }
        if content.take(KIND.len()) != Some(&KIND[..]) {
            return Err(SectionError::Damaged("it is of an unknown kind"));
        }
        Ok(Section {
            hashes: content.hashes()?,
            rest: module.0,
        })
    }

    /// Whether each signature is over the bytes after the section.
    pub(super) fn fits(&self) -> bool {
        let rest = Version::of(self.rest);
        self.hashes.iter().all(|hash| *hash == rest)
    }
}

/// Bytes that are read from their start.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A number in LEB128, of at most five bytes.
    fn number(&mut self) -> Option<usize> {
        let mut number = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number)
                    .ok()
                    .and_then(|number| usize::try_from(number).ok());
            }
        }
        None
    }

    /// Bytes with their length before them.
    fn part(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(len)
    }

    /// The sets of hashes with their signatures: all that is left.
    fn hashes(&mut self) -> Result<Vec<Version>, SectionError> {
        const SHORT: SectionError = SectionError::Damaged("it ends too early");
        let sets = self.number().ok_or(SHORT)?;
        let mut hashes = Vec::new();
        let mut signatures = 0;
        for _ in 0..sets {
            let mut set = Bytes(self.part().ok_or(SHORT)?);
            if set.number().ok_or(SHORT)? != 1 {
                return Err(SectionError::Partial);
            }
            let hash = set.take(HASH_BYTES).and_then(|hash| hash.try_into().ok());
            hashes.push(Version::from_sha256(hash.ok_or(SHORT)?));
            let count = set.number().ok_or(SHORT)?;
            signatures += count;
            if signatures > MAX_SIGNATURES || hashes.len() > MAX_SIGNATURES {
                return Err(SectionError::TooMany);
            }
            for _ in 0..count {
                let mut signature = Bytes(set.part().ok_or(SHORT)?);
                let is_sound = signature.part().is_some_and(|key| key.len() <= MAX_KEY_ID_BYTES)
                    && signature.byte() == Some(ED25519)
                    && signature.part().is_some_and(|bytes| bytes.len() == SIGNATURE_BYTES)
                    && signature.0.is_empty();
                if !is_sound {
                    return Err(SectionError::Damaged("a signature is no Ed25519 signature"));
                }
            }
            if !set.0.is_empty() {
                return Err(SectionError::Damaged("bytes follow the signatures"));
            }
        }
        match (self.0.is_empty(), signatures) {
            (false, _) => Err(SectionError::Damaged("bytes follow the signatures")),
            (true, 0) => Err(SectionError::Missing),
            (true, _) => Ok(hashes),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wasmsign2::{KeyPair, Module};

    use super::super::signing_key::tests::{MODULE, key};
    use super::*;

    #[test]
    fn a_signed_module_has_a_section_that_fits() {
        let signed = key(1).sign(MODULE).expect("a module").bytes;
        let section = Section::read(&signed).expect("signed");
        assert_eq!((section.hashes.len(), section.rest), (1, &MODULE[HEADER_BYTES..]));
        assert!(section.fits());
        assert_eq!(Section::read(MODULE), Err(SectionError::Missing));
    }

    /// A module that is signed in parts used to be as good as its first part.
    #[test]
    fn a_signature_over_parts_is_refused() {
        let module = Module::deserialize(&mut &MODULE[..]).expect("a module");
        let mut is_first = true;
        let parts = module.split(|_| std::mem::replace(&mut is_first, false));
        let (parts, _) = KeyPair::generate()
            .sk
            .sign_multi(parts.expect("it has two sections"), None, false, false)
            .expect("it can be signed");
        let mut bytes = Vec::new();
        parts.serialize(&mut bytes).expect("memory takes it");
        assert_eq!(Section::read(&bytes), Err(SectionError::Partial));
    }

    #[test]
    fn lengths_that_lie_are_damage() {
        let signed = key(1).sign(MODULE).expect("a module").bytes;
        let content = HEADER_BYTES + 2 + 1 + NAME.len();
        for at in content..content + 10 {
            let mut damaged = signed.clone();
            damaged.splice(at..=at, [0xff, 0xff, 0xff, 0xff, 0x0f]);
            assert!(Section::read(&damaged).is_err(), "at {at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), keep in 0_usize..200) {
            let signed = key(1).sign(MODULE).expect("a module").bytes;
            let mut module = signed[..keep.min(signed.len())].to_vec();
            module.extend(&bytes);
            if let Ok(section) = Section::read(&module) {
                prop_assert!(section.hashes.len() <= MAX_SIGNATURES);
            }
        }

        #[test]
        fn one_changed_byte_is_noticed(at in 0_usize..300, bit in 0_u8..8) {
            let mut module = key(1).sign(MODULE).expect("a module").bytes;
            let at = HEADER_BYTES + at % (module.len() - HEADER_BYTES);
            module[at] ^= 1 << bit;
            let keys = super::super::keys::PublicKeys::of("one", &key(1));
            prop_assert!(super::super::verify::signers(&module, &keys).is_err());
        }
    }
}
