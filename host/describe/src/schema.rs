//! JSON Schemas of component types.
//!
//! A schema says what `stowage_logic::codec` reads and writes. For a request it says less than the
//! codec takes: a number may also come as a text. What a schema allows, the codec takes.

use std::collections::BTreeMap;

use stowage_logic::codec::camel_case;
use stowage_logic::{DocumentedType, InterfaceName};
use wasmtime::component::Type;

use crate::comment::prose_of;
use crate::json::Json;
use crate::names::pascal_case;

/// Items of a list in a request, as the codec takes them.
const MAX_ITEMS: i128 = 25_000;
/// Parts of types that are described for one module. The rest are described as any value.
pub(crate) const MAX_PARTS: usize = 50_000;
/// Named types of an interface that are compared with a type to find its name.
const MAX_COMPARED_NAMES: usize = 256;

/// Whether a value is sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is in a request: fields that may be null may be absent.
    Request,
    /// It is in an answer: all fields are there.
    Answer,
}

/// The schema of one type, without names and comments: what the codec writes, or what it takes.
pub fn schema(ty: &Type, role: Role) -> Json {
    let nowhere = InterfaceName {
        package: String::new(),
        interface: String::new(),
    };
    let scope = Scope {
        interface: &nowhere,
        named: &[],
    };
    let mut schemas = Schemas {
        parts_left: MAX_PARTS,
        ..Schemas::default()
    };
    schemas.of(ty, None, role, scope)
}

/// Where types are named.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The interface that uses the types.
    pub(crate) interface: &'a InterfaceName,
    /// The types that it names.
    pub(crate) named: &'a [(String, Type)],
}

/// The schemas of named types, by their names in the description.
#[derive(Default)]
pub(crate) struct Schemas {
    named: BTreeMap<String, Json>,
    /// Parts that may still be described for the module at hand.
    pub(crate) parts_left: usize,
}

impl Schemas {
    /// The named schemas.
    pub(crate) fn into_named(self) -> BTreeMap<String, Json> {
        self.named
    }

    /// Adds a schema under this name or, if another one has it, under the first of `others` that is
    /// free. The name that it has then.
    pub(crate) fn add(&mut self, name: &str, others: &[String], schema: Json) -> String {
        let shape = without_comments(&schema);
        let numbered = (2..).map(|number| format!("{name}{number}"));
        let candidates = std::iter::once(name.to_owned())
            .chain(others.iter().cloned())
            .chain(numbered);
        for candidate in candidates {
            match self.named.get_mut(&candidate) {
                None => {
                    self.named.insert(candidate.clone(), schema);
                    return candidate;
                }
                // Modules that use one type describe it once, with the words of the first that has
                // any.
                Some(before) if without_comments(before) == shape => {
                    if *before == shape {
                        *before = schema;
                    }
                    return candidate;
                }
                Some(_) => {}
            }
        }
        unreachable!("there is no end of numbers")
    }

    /// The schema of a type. `documented` is what the module's WIT text says that it is.
    pub(crate) fn of(
        &mut self,
        ty: &Type,
        documented: Option<DocumentedType<'_>>,
        role: Role,
        scope: Scope<'_>,
    ) -> Json {
        let Some(left) = self.parts_left.checked_sub(1) else {
            return Json::object([(
                "description",
                "Any value: the types of the module are too large to describe.".into(),
            )]);
        };
        self.parts_left = left;
        let documented = documented.filter(|documented| agrees(ty, documented));
        if !matches!(ty, Type::Record(_) | Type::Variant(_) | Type::Enum(_) | Type::Flags(_)) {
            return self.body(ty, documented, role, scope);
        }
        let declaration = documented.and_then(|documented| documented.declaration());
        let (name, interface, comment) = match &declaration {
            Some(found) => (found.name, &found.interface, found.comment),
            None => match name_of(ty, scope) {
                Some(name) => (name, scope.interface, ""),
                None => return self.body(ty, documented, role, scope),
            },
        };
        let mut schema = self.body(ty, documented, role, scope);
        describe(&mut schema, comment);
        let suffix = if role == Role::Request && differs_in_requests(ty) {
            "Input"
        } else {
            ""
        };
        let others = [&interface.interface, &interface.package].map(|owner| {
            let owner = owner.split_once(':').map_or(owner.as_str(), |(_, package)| package);
            format!("{}{}{suffix}", pascal_case(owner), pascal_case(name))
        });
        let name = self.add(&format!("{}{suffix}", pascal_case(name)), &others, schema);
        Json::reference("schemas", &name)
    }

    /// The schema of a type without its own name and comment.
    fn body(&mut self, ty: &Type, documented: Option<DocumentedType<'_>>, role: Role, scope: Scope<'_>) -> Json {
        let parts = documented.map(|documented| documented.parts()).unwrap_or_default();
        let part = |index: usize| parts.get(index).and_then(|part| part.ty);
        let comment = |index: usize| parts.get(index).map_or("", |part| part.comment);
        match ty {
            Type::Bool => of_type("boolean"),
            Type::S8 => integer(i8::MIN, i8::MAX),
            Type::U8 => integer(u8::MIN, u8::MAX),
            Type::S16 => integer(i16::MIN, i16::MAX),
            Type::U16 => integer(u16::MIN, u16::MAX),
            Type::S32 => integer(i32::MIN, i32::MAX),
            Type::U32 => integer(u32::MIN, u32::MAX),
            Type::S64 => integer(i64::MIN, i64::MAX),
            Type::U64 => integer(u64::MIN, u64::MAX),
            Type::Float32 | Type::Float64 => match role {
                Role::Request => of_type("number"),
                // What is not a number, or infinite, is written as null.
                Role::Answer => nullable(of_type("number")),
            },
            Type::Char => {
                let mut schema = of_type("string");
                schema.set("minLength", 1_i128);
                schema.set("maxLength", 1_i128);
                schema
            }
            Type::String => of_type("string"),
            Type::List(list) => {
                let mut schema = of_type("array");
                schema.set("items", self.of(&list.ty(), part(0), role, scope));
                if role == Role::Request {
                    schema.set("maxItems", MAX_ITEMS);
                }
                schema
            }
            Type::Tuple(tuple) => {
                let items: Vec<_> = tuple
                    .types()
                    .enumerate()
                    .map(|(index, ty)| self.of(&ty, part(index), role, scope))
                    .collect();
                let len = items.len() as i128;
                let mut schema = of_type("array");
                schema.set("prefixItems", items);
                schema.set("minItems", len);
                schema.set("maxItems", len);
                schema
            }
            Type::Record(record) => {
                let fields = record.fields().enumerate().map(|(index, field)| {
                    let mut schema = self.of(&field.ty, part(index), role, scope);
                    describe(&mut schema, comment(index));
                    let required = role == Role::Answer || !matches!(field.ty, Type::Option(_));
                    (camel_case(field.name), schema, required)
                });
                object(fields.collect())
            }
            Type::Variant(variant) => {
                let (mut plain, mut with_payload) = (Vec::new(), Vec::new());
                for (index, case) in variant.cases().enumerate() {
                    let name = camel_case(case.name);
                    match &case.ty {
                        None => plain.push((name, comment(index))),
                        Some(ty) => {
                            let mut payload = self.of(ty, part(index), role, scope);
                            describe(&mut payload, comment(index));
                            with_payload.push(tagged(name, payload));
                        }
                    }
                }
                let mut cases: Vec<_> = (!plain.is_empty()).then(|| one_of_texts(plain)).into_iter().collect();
                cases.append(&mut with_payload);
                Json::object([("oneOf", cases.into())])
            }
            Type::Enum(cases) => {
                let cases = cases.names().enumerate();
                one_of_texts(cases.map(|(index, name)| (camel_case(name), comment(index))).collect())
            }
            Type::Flags(flags) => {
                let flags = flags.names().enumerate();
                let flags = flags.map(|(index, name)| (camel_case(name), comment(index))).collect();
                let mut schema = of_type("array");
                schema.set("items", one_of_texts(flags));
                schema.set("uniqueItems", true);
                schema
            }
            Type::Option(option) => nullable(self.of(&option.ty(), part(0), role, scope)),
            Type::Result(result) => {
                let mut payload = |name: &str, ty: Option<Type>, index| {
                    let payload = ty.map_or_else(|| of_type("null"), |ty| self.of(&ty, part(index), role, scope));
                    tagged(name.to_owned(), payload)
                };
                let cases = vec![payload("ok", result.ok(), 0), payload("err", result.err(), 1)];
                Json::object([("oneOf", cases.into())])
            }
            // The host refuses a module whose functions have other types.
            _ => Json::Object(Vec::new()),
        }
    }
}

/// A schema of one JSON type.
pub(crate) fn of_type(name: &str) -> Json {
    Json::object([("type", name.into())])
}

/// An object with these fields: name, schema, and whether it is required.
pub(crate) fn object(fields: Vec<(String, Json, bool)>) -> Json {
    let mut schema = of_type("object");
    let required = fields.iter().filter(|(_, _, required)| *required);
    let required: Vec<_> = required.map(|(name, _, _)| Json::from(name.as_str())).collect();
    let properties = fields.into_iter().map(|(name, schema, _)| (name, schema));
    schema.set("properties", Json::Object(properties.collect()));
    if !required.is_empty() {
        schema.set("required", required);
    }
    schema
}

/// Adds a comment to a schema, if there is one.
pub(crate) fn describe(schema: &mut Json, comment: &str) {
    if !comment.is_empty() {
        schema.set("description", prose_of(comment));
    }
}

/// The values of a schema, or null.
pub(crate) fn nullable(mut schema: Json) -> Json {
    let null = of_type("null");
    match (schema.get("type"), schema.get("oneOf")) {
        // The values of an enum are listed, and null is none of them.
        (Some(Json::Text(name)), None) if schema.get("enum").is_none() => {
            let types = Json::texts([name.as_str(), "null"]);
            schema.set("type", types);
            schema
        }
        (Some(Json::Array(types)), None) if types.contains(&"null".into()) => schema,
        (None, Some(cases)) => {
            let mut cases = cases.items().to_vec();
            if !cases.contains(&null) {
                cases.push(null);
            }
            schema.set("oneOf", cases);
            schema
        }
        _ => Json::object([("oneOf", vec![schema, null].into())]),
    }
}

fn integer<I: Into<i128>>(min: I, max: I) -> Json {
    let mut schema = of_type("integer");
    schema.set("minimum", min.into());
    schema.set("maximum", max.into());
    schema
}

/// `{"name": payload}`.
fn tagged(name: String, payload: Json) -> Json {
    let mut schema = object(vec![(name, payload, true)]);
    schema.set("additionalProperties", false);
    schema
}

/// One of these texts. The comments of the texts become one description.
fn one_of_texts(texts: Vec<(String, &str)>) -> Json {
    let comments = texts.iter().filter(|(_, comment)| !comment.is_empty());
    let comments: Vec<_> = comments
        .map(|(text, comment)| format!("- `{text}`: {}", prose_of(comment)))
        .collect();
    let mut schema = of_type("string");
    schema.set("enum", Json::texts(texts.into_iter().map(|(text, _)| text)));
    if !comments.is_empty() {
        schema.set("description", comments.join("\n"));
    }
    schema
}

/// Whether a documented type is built as a type is. Only the outermost level is compared.
fn agrees(ty: &Type, documented: &DocumentedType<'_>) -> bool {
    let parts = documented.parts();
    let names = |names: Vec<&str>| parts.iter().map(|part| part.name).eq(names);
    match ty {
        Type::Record(record) => names(record.fields().map(|field| field.name).collect()),
        Type::Variant(variant) => names(variant.cases().map(|case| case.name).collect()),
        Type::Enum(cases) => names(cases.names().collect()),
        Type::Flags(flags) => names(flags.names().collect()),
        Type::Tuple(tuple) => tuple.types().count() == parts.len(),
        Type::Option(_) | Type::List(_) => parts.len() == 1,
        Type::Result(_) => parts.len() == 2,
        _ => true,
    }
}

/// The name that the interface gives to a type.
fn name_of<'a>(ty: &Type, scope: Scope<'a>) -> Option<&'a str> {
    let named = scope.named.iter().take(MAX_COMPARED_NAMES);
    let (name, _) = named.into_iter().find(|(_, found)| found == ty)?;
    Some(name)
}

/// Whether requests and answers write values of this type in different ways.
fn differs_in_requests(ty: &Type) -> bool {
    match ty {
        Type::Float32 | Type::Float64 | Type::List(_) => true,
        Type::Option(option) => differs_in_requests(&option.ty()),
        Type::Record(record) => record
            .fields()
            .any(|field| matches!(field.ty, Type::Option(_)) || differs_in_requests(&field.ty)),
        Type::Tuple(tuple) => tuple.types().any(|ty| differs_in_requests(&ty)),
        Type::Variant(variant) => variant
            .cases()
            .any(|case| case.ty.is_some_and(|ty| differs_in_requests(&ty))),
        Type::Result(result) => result
            .ok()
            .into_iter()
            .chain(result.err())
            .any(|ty| differs_in_requests(&ty)),
        _ => false,
    }
}

/// A schema without its words.
fn without_comments(schema: &Json) -> Json {
    match schema {
        Json::Object(members) => {
            // A field may be called `description` too: then it is a schema, not a text.
            let kept = members
                .iter()
                .filter(|(name, value)| name != "description" || value.as_text().is_none());
            Json::Object(
                kept.map(|(name, value)| (name.clone(), without_comments(value)))
                    .collect(),
            )
        }
        Json::Array(items) => Json::Array(items.iter().map(without_comments).collect()),
        other => other.clone(),
    }
}
