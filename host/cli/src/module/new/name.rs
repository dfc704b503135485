//! Names that a module can have.

use std::fmt;

/// The longest name, in characters. Tables are named after the module, and have at most 64.
const MAX_CHARS: usize = 40;

/// Names that Rust, Cargo, WIT or the server reserve.
const RESERVED: &[&str] = &[
    // Paths of the server and the module of the storage API, in the form in which names are
    // compared.
    "admin",
    "ws",
    "storageapi",
    "stowage",
    // Cargo and Rust.
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    // WIT.
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "u16",
    "u32",
    "u64",
    "u8",
    "variant",
    "with",
    "world",
    // The names of crates that it depends on.
    "serde",
    "stowage-sdk",
    "wit-bindgen",
];

/// Why a name is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// It is not in kebab-case.
    #[error(
        "{0:?} is no name for a module: expected at most {MAX_CHARS} characters in kebab-case, words of `a-z` and `0-9` that \
         begin with a letter, with `-` between them, for example `pin-board`"
    )]
    Form(String),
    /// A built-in module has it: a module with that name would replace it.
    #[error("{0:?} is the name of a built-in module: a module of that name would replace all of it; choose another")]
    BuiltIn(String),
    /// It is reserved.
    #[error("{0:?} has a meaning of its own to the server, Rust or WIT: choose another name")]
    Reserved(String),
}

/// The built-in modules.
pub const BUILTIN_MODULES: [&str; 6] = [
    "favorites",
    "temp-files",
    "backups",
    "cloud-storage",
    "common",
    "transfers",
];

/// The name of a module in kebab-case, so that it can be the name of a crate, a WIT package and a
/// file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleName(String);

impl ModuleName {
    /// Checks a name.
    ///
    /// # Errors
    /// The name is refused. The message says what is expected.
    pub fn new(name: &str) -> Result<ModuleName, NameError> {
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if name.len() > MAX_CHARS || !name.split('-').all(is_word) {
            return Err(NameError::Form(name.to_owned()));
        }
        if BUILTIN_MODULES.contains(&name) {
            return Err(NameError::BuiltIn(name.to_owned()));
        }
        if RESERVED.contains(&name) || RESERVED.contains(&&*name.replace('-', "")) {
            return Err(NameError::Reserved(name.to_owned()));
        }
        Ok(ModuleName(name.to_owned()))
    }

    /// The name in Rust: `pin_board`.
    pub fn snake(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ModuleName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<ModuleName, NameError> {
        ModuleName::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kebab_case_is_a_name() {
        for name in ["notes", "pin-board", "a1-b2", "x"] {
            assert_eq!(ModuleName::new(name).expect("a name").to_string(), name);
        }
        assert_eq!(ModuleName::new("pin-board").expect("a name").snake(), "pin_board");
    }

    #[test]
    fn what_is_not_kebab_case_is_refused() {
        let long = "a".repeat(MAX_CHARS + 1);
        for name in [
            "",
            "-",
            "a-",
            "-a",
            "a--b",
            "A",
            "pinBoard",
            "pin_board",
            "pin board",
            "1a",
            "a-1",
            "../x",
            "a/b",
            "图",
            &long,
        ] {
            assert_eq!(ModuleName::new(name), Err(NameError::Form(name.to_owned())));
        }
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        assert!(matches!(ModuleName::new("favorites"), Err(NameError::BuiltIn(_))));
        assert!(matches!(ModuleName::new("temp-files"), Err(NameError::BuiltIn(_))));
        for name in ["storage-api", "storageapi", "type", "world", "test", "admin"] {
            assert_eq!(ModuleName::new(name), Err(NameError::Reserved(name.to_owned())));
        }
    }
}
