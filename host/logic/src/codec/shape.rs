//! The part of a component type that JSON needs, with names in their wire form.

use wasmtime::component::Type;

use super::names::camel_case;

/// Deeper types are refused at load: a decoder recurses once for each level.
const MAX_DEPTH: u32 = 32;

/// A component type as JSON sees it.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the cases are the component model's own")]
pub enum Shape {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    Float32,
    Float64,
    Char,
    String,
    List(Box<Shape>),
    Record(Vec<Field>),
    Tuple(Vec<Shape>),
    Variant(Vec<Case>),
    Enum(Vec<Name>),
    Option(Box<Shape>),
    Result {
        ok: Option<Box<Shape>>,
        err: Option<Box<Shape>>,
    },
    Flags(Vec<Name>),
}

/// A name in both forms.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// As in WIT.
    pub wit: String,
    /// As in JSON.
    pub wire: String,
}

impl Name {
    fn new(wit: &str) -> Name {
        Name {
            wit: wit.to_owned(),
            wire: camel_case(wit),
        }
    }
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub shape: Shape,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: Name,
    /// Its payload, if it has one.
    pub shape: Option<Shape>,
}

/// A type or a function that has no JSON form.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no JSON form")]
pub struct UnsupportedType(pub &'static str);

impl Shape {
    /// Whether it is a whole number, or an optional one.
    pub(super) fn is_integer(&self) -> bool {
        match self {
            Shape::S8 | Shape::U8 | Shape::S16 | Shape::U16 | Shape::S32 | Shape::U32 | Shape::S64 | Shape::U64 => true,
            Shape::Option(inner) => inner.is_integer(),
            _ => false,
        }
    }

    /// A record of these fields.
    pub(crate) fn record(fields: Vec<(String, Shape)>) -> Shape {
        let field = |(name, shape): (String, Shape)| Field {
            name: Name::new(&name),
            shape,
        };
        Shape::Record(fields.into_iter().map(field).collect())
    }

    /// A variant of these cases.
    pub(crate) fn variant(cases: Vec<(String, Option<Shape>)>) -> Shape {
        let case = |(name, shape): (String, Option<Shape>)| Case {
            name: Name::new(&name),
            shape,
        };
        Shape::Variant(cases.into_iter().map(case).collect())
    }

    /// An enum of these cases.
    pub(crate) fn enumeration(names: &[String]) -> Shape {
        Shape::Enum(names.iter().map(|name| Name::new(name)).collect())
    }

    /// These flags.
    pub(crate) fn flags(names: &[String]) -> Shape {
        Shape::Flags(names.iter().map(|name| Name::new(name)).collect())
    }

    /// Compiles a component type.
    ///
    /// # Errors
    /// When it contains a resource, a stream or another type without a JSON form, or is nested more
    /// than 32 levels deep.
    pub fn new(ty: &Type) -> Result<Shape, UnsupportedType> {
        Self::at(ty, 0)
    }

    fn at(ty: &Type, depth: u32) -> Result<Shape, UnsupportedType> {
        if depth > MAX_DEPTH {
            return Err(UnsupportedType("a type nested more than 32 levels deep"));
        }
        let inner = |ty: &Type| Self::at(ty, depth + 1);
        let boxed = |ty: &Type| Self::at(ty, depth + 1).map(Box::new);
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::S8,
            Type::U8 => Shape::U8,
            Type::S16 => Shape::S16,
            Type::U16 => Shape::U16,
            Type::S32 => Shape::S32,
            Type::U32 => Shape::U32,
            Type::S64 => Shape::S64,
            Type::U64 => Shape::U64,
            Type::Float32 => Shape::Float32,
            Type::Float64 => Shape::Float64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::List(l) => Shape::List(boxed(&l.ty())?),
            Type::Record(r) => Shape::Record(
                r.fields()
                    .map(|f| {
                        Ok(Field {
                            name: Name::new(f.name),
                            shape: inner(&f.ty)?,
                        })
                    })
                    .collect::<Result<_, _>>()?,
            ),
            Type::Tuple(t) => Shape::Tuple(t.types().map(|t| inner(&t)).collect::<Result<_, _>>()?),
            Type::Variant(v) => Shape::Variant(
                v.cases()
                    .map(|c| {
                        Ok(Case {
                            name: Name::new(c.name),
                            shape: c.ty.as_ref().map(inner).transpose()?,
                        })
                    })
                    .collect::<Result<_, _>>()?,
            ),
            Type::Enum(e) => Shape::Enum(e.names().map(Name::new).collect()),
            Type::Option(o) => Shape::Option(boxed(&o.ty())?),
            Type::Result(r) => Shape::Result {
                ok: r.ok().as_ref().map(boxed).transpose()?,
                err: r.err().as_ref().map(boxed).transpose()?,
            },
            Type::Flags(f) => Shape::Flags(f.names().map(Name::new).collect()),
            Type::Own(_) | Type::Borrow(_) => return Err(UnsupportedType("a resource")),
            Type::Future(_) => return Err(UnsupportedType("a future")),
            Type::Stream(_) => return Err(UnsupportedType("a stream")),
            Type::ErrorContext => return Err(UnsupportedType("an error-context")),
            Type::Map(_) => return Err(UnsupportedType("a map")),
            Type::FixedLengthList(_) => return Err(UnsupportedType("a fixed-length list")),
        })
    }
}
