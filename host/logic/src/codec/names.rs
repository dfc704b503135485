//! Names: kebab-case in WIT, camelCase on the wire.

/// The camelCase form of a kebab-case name: `fav-id` is `favId`.
pub fn camel_case(kebab: &str) -> String {
    let mut out = String::with_capacity(kebab.len());
    let mut upper = false;
    for c in kebab.chars() {
        if c == '-' {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
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
