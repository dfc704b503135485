//! A method of the storage API, with its declaration and its implementation in the built-in module.
//!
//! Both are read from the sources, which rustfmt has formatted. A test reads every method.

use stowage_logic::codec::fold_name;

use super::sources::Sources;

/// The directory of the interfaces of the storage API.
const WIT: &str = "wit/deps/storage-api";

/// There is no such method.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name:?} is no method of the storage API: expected one of {known}")]
pub(super) struct UnknownMethod {
    name: String,
    known: String,
}

/// A method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method {
    /// The built-in module: `favorites`.
    pub(super) module: String,
    /// Its interface: `im-favorites`.
    pub(super) interface: String,
    /// Its name in WIT: `get-im-favorite-list`.
    pub(super) name: String,
    /// Its documentation, line by line.
    pub(super) docs: Vec<String>,
    /// Its declaration in WIT, without the documentation.
    pub(super) declaration: String,
    /// The types of its interface that it uses.
    pub(super) types: Vec<String>,
    /// The types of the interface `types` that it uses.
    pub(super) shared_types: Vec<String>,
    /// Its parameters in Rust: name and type.
    pub(super) params: Vec<(String, String)>,
    /// Its return type in Rust.
    pub(super) returns: String,
    /// The body in the built-in module, line by line without common indentation. It has `crate::`
    /// for the built-in crate and `&HostContext` for the context.
    pub(super) body: String,
}

impl Method {
    /// The method with this name, in any spelling that the API accepts.
    ///
    /// # Errors
    /// There is no such method. The message lists all methods.
    pub(super) fn find(sources: &Sources, name: &str) -> Result<Method, UnknownMethod> {
        let all = Method::all(sources);
        let folded = fold_name(name);
        match all.iter().find(|method| fold_name(&method.name) == folded) {
            Some(method) => Ok(method.clone()),
            None => Err(UnknownMethod {
                name: name.to_owned(),
                known: all.iter().map(Method::wire_name).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Every method of the storage API.
    pub(super) fn all(sources: &Sources) -> Vec<Method> {
        sources
            .under(WIT)
            .filter_map(|(_, wit)| {
                let (_, rest) = wit.split_once("\ninterface ")?;
                let (interface, wit) = rest.split_once(" {\n")?;
                let module = module_of(sources, interface)?;
                let rust = sources.text(&format!("guest/{module}/src/lib.rs"));
                Some(
                    functions(wit).map(move |(docs, declaration)| {
                        Method::read(&module, interface, wit, &docs, declaration, rust)
                    }),
                )
            })
            .flatten()
            .collect()
    }

    fn read(module: &str, interface: &str, wit: &str, docs: &[&str], declaration: &str, rust: &str) -> Method {
        let (name, _) = declaration.split_once(':').expect("a function has a name");
        let names = |wanted: &str| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
            declaration.split(|c| !is_part(c)).any(|word| word == wanted)
        };
        let types = wit.lines().filter_map(|line| {
            let (kind, rest) = line.strip_prefix("    ")?.split_once(' ')?;
            let defines = ["record", "enum", "variant", "flags"].contains(&kind);
            rest.strip_suffix(" {").filter(|_| defines)
        });
        let function = function_of(rust, &name.replace('-', "_"));
        Method {
            module: module.to_owned(),
            interface: interface.to_owned(),
            name: name.to_owned(),
            docs: docs.iter().map(|line| (*line).to_owned()).collect(),
            declaration: declaration.to_owned(),
            types: types.filter(|ty| names(ty)).map(str::to_owned).collect(),
            shared_types: ["error", "order"]
                .into_iter()
                .filter(|ty| names(ty))
                .map(str::to_owned)
                .collect(),
            params: function.params,
            returns: function.returns,
            body: function.body,
        }
    }

    /// Its name in Rust.
    pub(super) fn rust_name(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Its parameters on the wire: name, and type in WIT.
    pub(super) fn wit_params(&self) -> impl Iterator<Item = (String, &str)> {
        let params = self
            .declaration
            .split_once("func(")
            .and_then(|(_, rest)| rest.split_once(") ->"));
        let params = params.map_or("", |(params, _)| params).split(", ");
        params.filter_map(|param| {
            let (name, ty) = param.split_once(": ")?;
            Some((stowage_logic::codec::camel_case(name.trim_start_matches('%')), ty))
        })
    }

    /// Its name on the wire.
    pub(super) fn wire_name(&self) -> String {
        stowage_logic::codec::camel_case(&self.name)
    }
}

/// The built-in module that exports an interface of the storage API.
fn module_of(sources: &Sources, interface: &str) -> Option<String> {
    let export = format!("exports::stowage::storage_api::{} as api;", interface.replace('-', "_"));
    sources
        .under("guest")
        .filter(|(_, text)| text.contains(&export))
        .find_map(|(path, _)| path.strip_suffix("/src/bindings.rs"))
        .map(str::to_owned)
}

/// The functions of an interface: documentation and declaration.
fn functions(wit: &str) -> impl Iterator<Item = (Vec<&str>, &str)> {
    let mut docs = Vec::new();
    wit.lines().map(str::trim).filter_map(move |line| {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push(doc.trim_start());
            return None;
        }
        let docs = std::mem::take(&mut docs);
        line.contains(": func(").then_some((docs, line))
    })
}

struct Function {
    params: Vec<(String, String)>,
    returns: String,
    body: String,
}

/// Reads a function of the exports of a built-in module.
fn function_of(rust: &str, name: &str) -> Function {
    let start = format!("        fn {name}(");
    let (_, text) = rust
        .split_once(&start)
        .expect("the module has each function of its interface");
    let (text, _) = text.split_once("\n        }\n").expect("a function ends");
    let (head, body) = text.split_once(" {\n").expect("a function has a body");
    let (params, returns) = head.rsplit_once(") -> ").expect("a method returns a result");
    let params = params
        .split(',')
        .filter_map(|param| param.trim().split_once(": "))
        .map(|(name, ty)| (name.to_owned(), ty.to_owned()))
        .collect();
    let body: Vec<_> = body
        .lines()
        .map(|line| line.strip_prefix("            ").unwrap_or(line))
        .collect();
    Function {
        params,
        returns: returns.to_owned(),
        body: body.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_in_every_spelling() {
        let sources = Sources::unpack();
        let all = Method::all(&sources);
        assert_eq!(all.len(), 18);
        for method in &all {
            assert!(!method.docs.is_empty(), "{method:?}");
            assert!(
                method.body.contains("crate::") && method.body.contains("&HostContext"),
                "{method:?}"
            );
            let declared = method
                .declaration
                .split(" -> ")
                .next()
                .expect("a signature")
                .matches(": ")
                .count()
                - 1;
            assert_eq!(method.params.len(), declared, "{method:?}");
        }
        let list = Method::find(&sources, "getImFavoriteList").expect("a method");
        assert_eq!((&*list.module, &*list.interface), ("favorites", "im-favorites"));
        assert_eq!(list.types, ["favorite"], "and not favorite-folder");
        assert_eq!(list.shared_types, ["error", "order"]);
        assert_eq!(list.params[4], ("kind".to_owned(), "u32".to_owned()));
        assert_eq!(list.returns, "Result<Vec<api::Favorite>, Error>");
        let named: Vec<_> = list.wit_params().collect();
        assert_eq!(named[4], ("type".to_owned(), "u32"));
        assert_eq!(Method::find(&sources, "get-im-favorite-list"), Ok(list));
        assert!(Method::find(&sources, "initStorage$IMDataFromSdk").is_ok());
    }

    #[test]
    fn a_method_that_is_not_there_names_those_that_are() {
        let error = Method::find(&Sources::unpack(), "getEverything").expect_err("refused");
        assert!(error.to_string().contains("getStorageSpaceInfo"), "{error}");
    }
}
