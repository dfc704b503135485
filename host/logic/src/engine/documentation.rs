//! The WIT text that a module carries: what it says about its functions and types.
//!
//! The component itself says what the types are. Its WIT text adds comments, and the names of types
//! that look alike. The text is a claim of the module: a reader must compare it with the component
//! before it uses it. A text that is too long or is not WIT says nothing.

use std::collections::BTreeMap;
use std::fmt;

use wit_parser::{AstItem, InterfaceId, SourceMap, Type, TypeDef, TypeDefKind, TypeOwner, UnresolvedPackage};

use super::export::InterfaceName;

/// A longer text is not read.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// A type that is another name of a type, which again is another name. Longer chains end here.
const MAX_ALIASES: usize = 32;
/// Packages that are read. A module serves a few.
const MAX_PACKAGES: usize = 64;

/// What the WIT text of a module says.
#[derive(Default)]
pub struct Documentation {
    packages: Vec<UnresolvedPackage>,
    /// Where an interface is: its package, and its place there. Of several with one name, the first
    /// counts.
    interfaces: BTreeMap<InterfaceName, (usize, InterfaceId)>,
}

impl Documentation {
    /// Reads a text of several WIT files, one after the other. A package that cannot be read is
    /// left out, and so are packages after the first 64.
    pub fn read(text: &str) -> Documentation {
        let mut sources: Vec<(&str, SourceMap)> = Vec::new();
        if text.len() <= MAX_TEXT_BYTES {
            for (index, (package, file)) in files(text).into_iter().enumerate() {
                let known = sources.iter().position(|(name, _)| *name == package);
                if known.is_none() && sources.len() == MAX_PACKAGES {
                    continue;
                }
                let at = known.unwrap_or_else(|| {
                    sources.push((package, SourceMap::new()));
                    sources.len() - 1
                });
                sources[at].1.push_str(&format!("{index}.wit"), file);
            }
        }
        let packages: Vec<UnresolvedPackage> = sources
            .into_iter()
            .filter_map(|(_, files)| files.parse().ok())
            .flat_map(|group| std::iter::once(group.main).chain(group.nested))
            .take(MAX_PACKAGES)
            .collect();
        let mut interfaces = BTreeMap::new();
        for (at, package) in packages.iter().enumerate() {
            for (id, interface) in package.interfaces.iter() {
                if let Some(name) = &interface.name {
                    let name = InterfaceName {
                        package: format!("{}:{}", package.name.namespace, package.name.name),
                        interface: name.clone(),
                    };
                    interfaces.entry(name).or_insert((at, id));
                }
            }
        }
        Documentation { packages, interfaces }
    }

    /// The interfaces that the text declares.
    pub(crate) fn names(&self) -> impl Iterator<Item = &InterfaceName> {
        self.interfaces.keys()
    }

    /// The names of the functions and of the types of an interface.
    pub(crate) fn declared(&self, name: &InterfaceName) -> (Vec<String>, Vec<String>) {
        self.find_interface(name).map_or_else(Default::default, |(_, found)| {
            let types = found.types.keys().cloned().collect();
            (found.functions.keys().cloned().collect(), types)
        })
    }

    /// The comment of a package; empty if there is none.
    pub fn package(&self, package: &str) -> &str {
        self.packages
            .iter()
            .find(|found| is_named(found, package))
            .map_or("", |found| text_of(&found.docs))
    }

    /// The comment of an interface; empty if there is none.
    pub fn interface(&self, name: &InterfaceName) -> &str {
        self.find_interface(name).map_or("", |(_, found)| text_of(&found.docs))
    }

    /// What the text says about a function.
    pub fn function(&self, interface: &InterfaceName, function: &str) -> Option<DocumentedFunction<'_>> {
        let (package, interface) = self.find_interface(interface)?;
        Some(DocumentedFunction {
            documentation: self,
            package,
            function: interface.functions.get(function)?,
        })
    }

    /// What the text says about a type that an interface declares or uses.
    pub fn named_type(&self, interface: &InterfaceName, name: &str) -> Option<DocumentedType<'_>> {
        let (package, interface) = self.find_interface(interface)?;
        Some(DocumentedType {
            documentation: self,
            package,
            ty: Type::Id(*interface.types.get(name)?),
        })
    }

    fn find_interface(&self, name: &InterfaceName) -> Option<(&UnresolvedPackage, &wit_parser::Interface)> {
        let (package, interface) = self.interfaces.get(name)?;
        let package = &self.packages[*package];
        Some((package, &package.interfaces[*interface]))
    }
}

impl fmt::Debug for Documentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.packages.iter().map(|package| package.name.to_string()))
            .finish()
    }
}

/// A function in a WIT text.
#[derive(Clone, Copy)]
pub struct DocumentedFunction<'a> {
    documentation: &'a Documentation,
    package: &'a UnresolvedPackage,
    function: &'a wit_parser::Function,
}

impl<'a> DocumentedFunction<'a> {
    /// Its comment; empty if there is none.
    pub fn comment(&self) -> &'a str {
        text_of(&self.function.docs)
    }

    /// The type of a parameter.
    pub fn parameter(&self, name: &str) -> Option<DocumentedType<'a>> {
        let parameter = self.function.params.iter().find(|parameter| parameter.name == name)?;
        Some(self.of(parameter.ty))
    }

    /// The type of the result.
    pub fn result(&self) -> Option<DocumentedType<'a>> {
        self.function.result.map(|ty| self.of(ty))
    }

    fn of(&self, ty: Type) -> DocumentedType<'a> {
        DocumentedType {
            documentation: self.documentation,
            package: self.package,
            ty,
        }
    }
}

/// A type in a WIT text.
#[derive(Clone, Copy)]
pub struct DocumentedType<'a> {
    documentation: &'a Documentation,
    package: &'a UnresolvedPackage,
    ty: Type,
}

/// A type that has a name of its own: a record, a variant, an enum or flags.
#[derive(Clone, Debug)]
pub struct Declaration<'a> {
    /// Where it is declared, which may be another interface than where it is used.
    pub interface: InterfaceName,
    /// Its name.
    pub name: &'a str,
    /// Its comment; empty if there is none.
    pub comment: &'a str,
}

/// A field, a case, a flag, or a type inside of another one.
#[derive(Clone, Copy)]
pub struct DocumentedPart<'a> {
    /// Its name; empty for a type inside of another one.
    pub name: &'a str,
    /// Its comment; empty if there is none.
    pub comment: &'a str,
    /// Its type, if it has one.
    pub ty: Option<DocumentedType<'a>>,
}

impl<'a> DocumentedType<'a> {
    /// The declaration, if the type has one.
    pub fn declaration(&self) -> Option<Declaration<'a>> {
        let (package, definition) = self.definition()?;
        if !matches!(
            definition.kind,
            TypeDefKind::Record(_) | TypeDefKind::Variant(_) | TypeDefKind::Enum(_) | TypeDefKind::Flags(_)
        ) {
            return None;
        }
        let TypeOwner::Interface(owner) = definition.owner else {
            return None;
        };
        Some(Declaration {
            interface: InterfaceName {
                package: format!("{}:{}", package.name.namespace, package.name.name),
                interface: package.interfaces.get(owner)?.name.clone()?,
            },
            name: definition.name.as_deref()?,
            comment: text_of(&definition.docs),
        })
    }

    /// What the type is made of, in its order.
    ///
    /// A `result` has two parts, and a part without a type where it has none.
    pub fn parts(&self) -> Vec<DocumentedPart<'a>> {
        let Some((package, definition)) = self.definition() else {
            return Vec::new();
        };
        let of = |ty: Type| DocumentedType {
            documentation: self.documentation,
            package,
            ty,
        };
        let inner = |ty: Option<Type>| DocumentedPart {
            name: "",
            comment: "",
            ty: ty.map(of),
        };
        let named = |name: &'a str, docs: &'a wit_parser::Docs, ty: Option<Type>| DocumentedPart {
            name,
            comment: text_of(docs),
            ty: ty.map(of),
        };
        match &definition.kind {
            TypeDefKind::Record(record) => {
                let part = |field: &'a wit_parser::Field| named(&field.name, &field.docs, Some(field.ty));
                record.fields.iter().map(part).collect()
            }
            TypeDefKind::Variant(variant) => {
                let part = |case: &'a wit_parser::Case| named(&case.name, &case.docs, case.ty);
                variant.cases.iter().map(part).collect()
            }
            TypeDefKind::Enum(cases) => cases
                .cases
                .iter()
                .map(|case| named(&case.name, &case.docs, None))
                .collect(),
            TypeDefKind::Flags(flags) => flags
                .flags
                .iter()
                .map(|flag| named(&flag.name, &flag.docs, None))
                .collect(),
            TypeDefKind::Tuple(tuple) => tuple.types.iter().map(|ty| inner(Some(*ty))).collect(),
            TypeDefKind::Option(ty) | TypeDefKind::List(ty) => vec![inner(Some(*ty))],
            TypeDefKind::Result(result) => vec![inner(result.ok), inner(result.err)],
            _ => Vec::new(),
        }
    }

    /// What the type is, whatever other names it has on the way.
    fn definition(&self) -> Option<(&'a UnresolvedPackage, &'a TypeDef)> {
        let (mut package, mut ty) = (self.package, self.ty);
        for _ in 0..MAX_ALIASES {
            let Type::Id(id) = ty else {
                return None;
            };
            let definition = package.types.get(id)?;
            match &definition.kind {
                TypeDefKind::Type(other) => ty = *other,
                // Of another package, whose text may be here too.
                TypeDefKind::Unknown => (package, ty) = self.foreign(package, definition)?,
                _ => return Some((package, definition)),
            }
        }
        None
    }

    fn foreign(&self, package: &UnresolvedPackage, definition: &TypeDef) -> Option<(&'a UnresolvedPackage, Type)> {
        let (owner, interface) = package.foreign_deps.iter().find_map(|(owner, interfaces)| {
            let is_owner = |item: &AstItem| match (item, definition.owner) {
                (AstItem::Interface(id), TypeOwner::Interface(owner)) => *id == owner,
                _ => false,
            };
            let (interface, _) = interfaces.iter().find(|(_, (item, _))| is_owner(item))?;
            Some((owner, interface))
        })?;
        let name = InterfaceName {
            package: format!("{}:{}", owner.namespace, owner.name),
            interface: interface.clone(),
        };
        let (package, interface) = self.documentation.find_interface(&name)?;
        Some((package, Type::Id(*interface.types.get(definition.name.as_deref()?)?)))
    }
}

fn is_named(package: &UnresolvedPackage, name: &str) -> bool {
    name.split_once(':') == Some((&package.name.namespace, &package.name.name))
}

fn text_of(docs: &wit_parser::Docs) -> &str {
    docs.contents.as_deref().unwrap_or_default()
}

/// The files of a text, each with the name of its package. A file begins with the declaration of
/// its package, or with the comment before that.
fn files(text: &str) -> Vec<(&str, &str)> {
    let mut starts = Vec::new();
    let mut comment = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        if let Some(package) = words.strip_prefix("package ").and_then(|rest| rest.strip_suffix(';')) {
            starts.push((package.trim(), comment.take().unwrap_or(at)));
        } else if words.starts_with("//") {
            comment.get_or_insert(at);
        } else if !words.is_empty() {
            comment = None;
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|((package, start), end)| (*package, &text[*start..end]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_after_the_first_64_are_left_out() {
        let text: String = (0..100)
            .map(|n| format!("package a:p{n};\n/// Number {n}.\ninterface i {{ f: func(); }}\n"))
            .collect();
        let documentation = Documentation::read(&text);
        let comment = |n: usize| {
            let name = InterfaceName {
                package: format!("a:p{n}"),
                interface: "i".into(),
            };
            documentation.interface(&name).to_owned()
        };
        assert_eq!(comment(0), "Number 0.");
        assert_eq!(comment(MAX_PACKAGES - 1), format!("Number {}.", MAX_PACKAGES - 1));
        assert_eq!(comment(MAX_PACKAGES), "");
    }
}
