//! Names: kebab-case in WIT, camelCase on the wire.

/// The camelCase form of a kebab-case name: `fav-id` is `favId`.
pub fn camel_case(kebab: &str) -> String {
    let mut out = Vec::with_capacity(kebab.len());
    write_camel_case(kebab, &mut out);
    // Always UTF-8: only ASCII letters change.
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends the camelCase form of a kebab-case name. Only ASCII letters change.
pub(super) fn write_camel_case(kebab: &str, out: &mut Vec<u8>) {
    let mut upper = false;
    for byte in kebab.bytes() {
        if byte == b'-' {
            upper = true;
        } else {
            out.push(if upper { byte.to_ascii_uppercase() } else { byte });
            upper = false;
        }
    }
}

/// The form in which names of methods and modules are compared: ASCII letters and digits in lower
/// case. `initStorage$IMDataFromSdk` and `init-storage-im-data-from-sdk` have the same.
pub fn fold_name(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A folded name. It is on the stack unless it is unusually long.
pub(crate) enum FoldedName {
    /// The bytes, and their number.
    Short([u8; MAX_SHORT], usize),
    /// A longer name.
    Long(String),
}

/// Bytes of a name that fits on the stack.
const MAX_SHORT: usize = 96;

impl FoldedName {
    /// Folds a name.
    pub(crate) fn new(name: &str) -> FoldedName {
        let mut bytes = [0; MAX_SHORT];
        let mut len = 0;
        for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
            match bytes.get_mut(len) {
                Some(slot) => *slot = byte.to_ascii_lowercase(),
                None => return FoldedName::Long(fold_name(name)),
            }
            len += 1;
        }
        FoldedName::Short(bytes, len)
    }

    /// Its letters and digits.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            // Always UTF-8: the bytes are ASCII.
            FoldedName::Short(bytes, len) => std::str::from_utf8(&bytes[..*len]).unwrap_or_default(),
            FoldedName::Long(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kebab_becomes_camel() {
        assert_eq!(camel_case("origin-nickname"), "originNickname");
        assert_eq!(camel_case("hashs"), "hashs");
        assert_eq!(camel_case("a-b-c"), "aBC");
    }

    #[test]
    fn folding_on_the_stack_is_folding() {
        let long = "a-B".repeat(MAX_SHORT);
        for name in ["initStorage$IMDataFromSdk", "", "a-B_9", "名字 x", &long] {
            assert_eq!(FoldedName::new(name).as_str(), fold_name(name));
        }
    }

    #[test]
    fn wire_and_wit_names_fold_alike() {
        assert_eq!(
            fold_name("initStorage$IMDataFromSdk"),
            fold_name("init-storage-im-data-from-sdk")
        );
        assert_eq!(fold_name("storageApi"), fold_name("storage-api"));
    }
}
