//! A method that is served: where it is, what it takes and what it answers.

use stowage_logic::codec::{camel_case, fold_name};
use stowage_logic::{Documentation, DocumentedNumber, InterfaceName, Route, Signature, Version};
use wasmtime::component::Type;

use crate::comment::Comment;
use crate::json::Json;
use crate::names::identifier;
use crate::schema::{Role, Schemas, Scope, object, of_type};

/// The wire module whose methods are called without its name, in the form in which names are
/// compared.
const DEFAULT_MODULE: &str = "storageapi";

/// Codes that any method may answer with.
pub(crate) const COMMON_ERRORS: [(i32, &str); 2] = [
    (500, "a failure"),
    (600, "a parameter error; the message names the field"),
];
/// The code of an error that has none of its own.
const OTHER_ERROR: i32 = 700;

/// A method.
pub(crate) struct Method {
    /// The path of its requests: `/getImFavoriteList`.
    pub(crate) path: String,
    pub(crate) operation: String,
    /// The interface, as on the wire.
    pub(crate) tag: String,
    pub(crate) interface: InterfaceName,
    /// Its place among the functions of its module.
    pub(crate) module: String,
    pub(crate) version: Version,
    /// Interface and function, as in WIT.
    pub(crate) function: String,
    pub(crate) comment: Comment,
    pub(crate) request: Json,
    /// The schema of the data of a success.
    pub(crate) data: Json,
    /// Codes and meanings of the errors; none if the module does not tell them.
    pub(crate) errors: Option<Vec<(i32, String)>>,
}

impl Method {
    /// Describes the method of a route.
    pub(crate) fn new(route: &Route, documentation: &Documentation, schemas: &mut Schemas) -> Option<Method> {
        let export = route.export();
        let signature = route.function().signature()?;
        let documented = documentation.function(&export.interface, &export.function);
        let raw = documented.map_or("", |documented| documented.comment());
        let comment = Comment::of_function(&export.function, raw);
        let wire_module = camel_case(export.interface.wire_module());
        let name = comment
            .wire_name
            .clone()
            .unwrap_or_else(|| camel_case(&export.function));
        let (path, operation) = match fold_name(&wire_module) == DEFAULT_MODULE {
            true => (format!("/{name}"), identifier(&name)),
            false => (
                format!("/{wire_module}/{name}"),
                identifier(&format!("{wire_module}_{name}")),
            ),
        };
        let scope = Scope {
            interface: &export.interface,
            named: signature.named(),
        };
        let parameter = |(name, ty): &(String, Type)| {
            let wire = camel_case(name);
            let documented = documented.and_then(|documented| documented.parameter(name));
            let mut schema = schemas.of(ty, documented, Role::Request, scope);
            if let Some(number) = DocumentedNumber::find(raw, name) {
                narrow(&mut schema, &number);
            }
            let about = comment.about(&wire);
            if !about.is_empty() {
                schema.set("description", about);
            }
            (wire, schema, !matches!(ty, Type::Option(_)))
        };
        let request = object(signature.params().iter().map(parameter).collect());
        let result = documented.and_then(|documented| documented.result());
        let result_part = |index: usize| result.and_then(|result| result.parts().get(index).and_then(|part| part.ty));
        let data = match signature.result() {
            None => of_type("null"),
            Some(Type::Result(outcome)) => match outcome.ok() {
                None => of_type("null"),
                Some(ty) => schemas.of(&ty, result_part(0), Role::Answer, scope),
            },
            Some(ty) => schemas.of(ty, result, Role::Answer, scope),
        };
        Some(Method {
            path,
            operation,
            tag: camel_case(&export.interface.interface),
            interface: export.interface.clone(),
            module: route.module().name.to_string(),
            version: route.module().version,
            function: format!("{}/{}", export.interface.package, export.path()),
            errors: errors(&signature, &comment, documented.is_some()),
            comment,
            request,
            data,
        })
    }
}

/// The codes of the errors of a function. None if the function chooses codes that its module does
/// not tell.
fn errors(signature: &Signature, comment: &Comment, is_documented: bool) -> Option<Vec<(i32, String)>> {
    let mut errors = comment.errors.clone();
    let mut add = |code: i32, meaning: &str| {
        if errors.iter().all(|(found, _)| *found != code) {
            errors.push((code, meaning.to_owned()));
        }
    };
    for (code, meaning) in COMMON_ERRORS {
        add(code, meaning);
    }
    if let Some(Type::Result(outcome)) = signature.result() {
        let has_code = matches!(outcome.err(), Some(Type::Record(record)) if is_coded(&record));
        if !has_code {
            // Without a code, the host gives it one.
            add(OTHER_ERROR, "the function's own error, as JSON in the message");
        } else if !is_documented {
            return None;
        }
    }
    errors.sort_by_key(|(code, _)| *code);
    Some(errors)
}

/// Whether an error brings its own code and message.
fn is_coded(record: &wasmtime::component::types::Record) -> bool {
    let has = |name: &str, wanted: &Type| record.fields().any(|field| field.name == name && field.ty == *wanted);
    has("code", &Type::S32) && has("message", &Type::String)
}

/// Narrows the schema of a whole number to the documented range.
fn narrow(schema: &mut Json, number: &DocumentedNumber) {
    let (Some(Json::Integer(min)), Some(Json::Integer(max))) = (schema.get("minimum"), schema.get("maximum")) else {
        return;
    };
    let (min, max) = (number.min.max(*min), number.max.min(*max));
    if min <= max {
        schema.set("minimum", min);
        schema.set("maximum", max);
    }
}

/// The schema of the answer: success, or an error.
pub(crate) fn answer(data: Json, errors: Option<&[(i32, String)]>) -> Json {
    let mut success = of_type("integer");
    success.set("const", 200_i128);
    let mut failure = of_type("integer");
    match errors {
        Some(errors) => failure.set(
            "enum",
            errors
                .iter()
                .map(|(code, _)| i128::from(*code).into())
                .collect::<Vec<_>>(),
        ),
        None => failure.set("not", Json::object([("const", 200_i128.into())])),
    }
    let envelope = |title: &str, code: Json, message: Json, data: Json| {
        let fields = vec![
            ("code".into(), code, true),
            ("message".into(), message, true),
            ("data".into(), data, true),
        ];
        let mut members = vec![("title".to_owned(), title.into())];
        members.extend_from_slice(object(fields).members());
        Json::Object(members)
    };
    let cases = vec![
        envelope("Success", success, of_type("null"), data),
        envelope("Failure", failure, of_type("string"), of_type("null")),
    ];
    Json::object([("oneOf", cases.into())])
}
