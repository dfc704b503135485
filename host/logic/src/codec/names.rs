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
    fn wire_and_wit_names_fold_alike() {
        assert_eq!(
            fold_name("initStorage$IMDataFromSdk"),
            fold_name("init-storage-im-data-from-sdk")
        );
        assert_eq!(fold_name("storageApi"), fold_name("storage-api"));
    }
}
