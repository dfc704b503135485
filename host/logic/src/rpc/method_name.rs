//! Which method a request means, by its path, its body, or both. If both name one, they must agree.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use crate::codec::FoldedName;

const MODULE_FIELD: &str = "__SERVER_ROUTE_MODULE";
const METHOD_FIELD: &str = "__SERVER_ROUTE_METHOD";

/// A wire module and method, as the client wrote them.
#[derive(Debug, PartialEq)]
pub(super) struct MethodName<'a> {
    pub(super) module: Option<&'a str>,
    pub(super) method: &'a str,
}

/// Why a request means no method.
#[derive(Debug, PartialEq)]
pub(super) enum Unroutable {
    /// The path or body is malformed, or both disagree: code 600.
    Parameter(String),
    /// The API has no such path: code 300.
    Unknown(String),
}

/// Decodes a percent-encoded path.
pub(super) fn decode_path(path: &str) -> Result<Cow<'_, str>, Unroutable> {
    percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| Unroutable::Parameter("path: expected UTF-8".into()))
}

impl<'a> MethodName<'a> {
    /// The method that a request with this decoded path means.
    pub(super) fn new(path: &'a str, body: &'a Map<String, Value>) -> Result<MethodName<'a>, Unroutable> {
        let mut parts = path.split('/').filter(|p| !p.is_empty());
        let (first, second, third) = (parts.next(), parts.next(), parts.next());
        if third.is_some() {
            return Err(Unroutable::Unknown(format!("{path}: no such interface method")));
        }
        let (path_module, path_method) = match (first, second) {
            (method, None) => (None, method),
            both => both,
        };
        let body_module = text(body, MODULE_FIELD)?;
        let body_method = text(body, METHOD_FIELD)?;
        Ok(MethodName {
            module: agree(MODULE_FIELD, path_module, body_module)?,
            method: agree(METHOD_FIELD, path_method, body_method)?
                .ok_or_else(|| Unroutable::Parameter(format!("{METHOD_FIELD}: expected the name of a method")))?,
        })
    }
}

impl fmt::Display for MethodName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{module}/{}", self.method),
            None => f.write_str(self.method),
        }
    }
}

fn text<'a>(body: &'a Map<String, Value>, field: &str) -> Result<Option<&'a str>, Unroutable> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) if !s.is_empty() => Ok(Some(s)),
        Some(_) => Err(Unroutable::Parameter(format!("{field}: expected a name"))),
    }
}

fn agree<'a>(field: &str, path: Option<&'a str>, body: Option<&'a str>) -> Result<Option<&'a str>, Unroutable> {
    match (path, body) {
        (Some(p), Some(b)) if FoldedName::new(p).as_str() != FoldedName::new(b).as_str() => Err(Unroutable::Parameter(
            format!("{field}: expected {p:?} as in the path, found {b:?}"),
        )),
        (p, b) => Ok(b.or(p)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Found = Result<(Option<String>, String), Unroutable>;

    fn target(path: &str, body: Value) -> Found {
        let path = decode_path(path)?;
        let name = MethodName::new(&path, body.as_object().unwrap())?;
        Ok((name.module.map(str::to_owned), name.method.to_owned()))
    }

    fn method(module: Option<&str>, method: &str) -> Found {
        Ok((module.map(str::to_owned), method.to_owned()))
    }

    #[test]
    fn the_path_alone_routes() {
        assert_eq!(
            target("/createImFavoriteFolder", json!({})),
            method(None, "createImFavoriteFolder")
        );
        assert_eq!(target("/storageApi/a", json!({})), method(Some("storageApi"), "a"));
        assert_eq!(
            target("/initStorage%24IMDataFromSdk", json!({})),
            method(None, "initStorage$IMDataFromSdk")
        );
    }

    #[test]
    fn the_body_alone_routes() {
        let body = json!({"__SERVER_ROUTE_MODULE": "storageApi", "__SERVER_ROUTE_METHOD": "a"});
        assert_eq!(target("/", body), method(Some("storageApi"), "a"));
    }

    #[test]
    fn path_and_body_that_disagree_are_a_parameter_error() {
        for (path, body) in [
            ("/b", json!({"__SERVER_ROUTE_METHOD": "a"})),
            (
                "/x/a",
                json!({"__SERVER_ROUTE_MODULE": "storageApi", "__SERVER_ROUTE_METHOD": "a"}),
            ),
            ("/", json!({})),
            ("/a", json!({"__SERVER_ROUTE_METHOD": 5})),
            ("/%ff", json!({})),
        ] {
            assert!(matches!(target(path, body), Err(Unroutable::Parameter(_))), "{path}");
        }
    }

    #[test]
    fn a_longer_path_is_no_method() {
        assert!(matches!(target("/a/b/c", json!({})), Err(Unroutable::Unknown(_))));
    }
}
