//! Names as a description needs them.

use stowage_logic::codec::camel_case;

/// The PascalCase form of a kebab-case name: `favorite-folder` is `FavoriteFolder`.
pub(crate) fn pascal_case(kebab: &str) -> String {
    let camel = camel_case(kebab);
    let mut chars = camel.chars();
    match chars.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + chars.as_str(),
        None => String::new(),
    }
}

/// A name with other characters than letters, digits and `_` replaced by `_`.
pub(crate) fn identifier(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_pascal_case_and_identifiers() {
        assert_eq!(pascal_case("favorite-folder"), "FavoriteFolder");
        assert_eq!(pascal_case("u2f-key"), "U2fKey");
        assert_eq!(pascal_case(""), "");
        assert_eq!(identifier("initStorage$IMDataFromSdk"), "initStorage_IMDataFromSdk");
    }
}
