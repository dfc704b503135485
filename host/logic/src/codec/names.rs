//! Names: kebab-case in WIT, camelCase on the wire.

/// The camelCase form of a kebab-case name: `fav-id` is `favId`.
pub fn camel_case(kebab: &str) -> String {
    let mut out = Vec::with_capacity(kebab.len());
    write_camel_case(kebab, &mut out);
    // Only ASCII letters change.
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends the camelCase form of a kebab-case name, of which only ASCII letters change.
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

/// What method and module names are compared by: their ASCII letters and digits, in lower case, so that `initStorage$IMDataFromSdk`
/// and `init-storage-im-data-from-sdk` are one name.
pub fn fold_name(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A folded name, on the stack where it is of usual length.
pub(crate) enum Folded {
    /// The bytes and how many there are.
    Short([u8; MOST_SHORT], usize),
    /// A longer name.
    Long(String),
}

/// Bytes of a name of usual length.
const MOST_SHORT: usize = 96;

impl Folded {
    /// Folds a name.
    pub(crate) fn new(name: &str) -> Folded {
        let mut bytes = [0; MOST_SHORT];
        let mut len = 0;
        for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
            match bytes.get_mut(len) {
                Some(slot) => *slot = byte.to_ascii_lowercase(),
                None => return Folded::Long(fold_name(name)),
            }
            len += 1;
        }
        Folded::Short(bytes, len)
    }

    /// Its letters and digits.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            // ASCII only, so that this is all of it.
            Folded::Short(bytes, len) => std::str::from_utf8(&bytes[..*len]).unwrap_or_default(),
            Folded::Long(name) => name,
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
        let long = "a-B".repeat(MOST_SHORT);
        for name in ["initStorage$IMDataFromSdk", "", "a-B_9", "名字 x", &long] {
            assert_eq!(Folded::new(name).as_str(), fold_name(name));
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
