//! The type of an exported function as WIT text, for comparison and for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wasmtime::component::Type;
use wasmtime::component::types::{ComponentFunc, ComponentItem};

use super::export::InterfaceName;
use super::function::Function;

/// Types nested deeper are written as `…`. The comparison covers the whole types.
const MAX_DEPTH: u32 = 32;
/// A longer text is cut.
const MAX_TEXT_BYTES: usize = 8 << 10;

/// The type of a function, with the names that its interface gives to types.
pub struct Signature {
    function: String,
    params: Vec<(String, Type)>,
    result: Option<Type>,
    /// The interface's named types, in its order.
    named: Vec<(String, Type)>,
}

impl Function {
    /// The type of the function; none if the component lacks the function.
    pub fn signature(&self) -> Option<Signature> {
        let export = self.export();
        let component = self.module().pre.component();
        let engine = component.engine();
        let ty = component.component_type();
        let (_, item) = ty
            .exports(engine)
            .find(|(name, _)| InterfaceName::parse(name).as_ref() == Some(&export.interface))?;
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            return None;
        };
        let mut named = Vec::new();
        let mut found: Option<ComponentFunc> = None;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::Type(ty) => named.push((name.to_owned(), ty)),
                ComponentItem::ComponentFunc(func) if name == export.function => found = Some(func),
                _ => {}
            }
        }
        let func = found?;
        Some(Signature {
            function: export.function.clone(),
            params: func.params().map(|(name, ty)| (name.to_owned(), ty)).collect(),
            result: func.results().next(),
            named,
        })
    }
}

impl Signature {
    /// The parameters: name and type.
    pub fn params(&self) -> &[(String, Type)] {
        &self.params
    }

    /// The type of the result, if the function has one.
    pub fn result(&self) -> Option<&Type> {
        self.result.as_ref()
    }

    /// The types that the interface names, in its order.
    pub fn named(&self) -> &[(String, Type)] {
        &self.named
    }

    /// Whether both have the same parameters, by name and type, and the same result.
    pub fn same(&self, other: &Signature) -> bool {
        self.params == other.params && self.result == other.result
    }

    /// `create-im-favorite-folder: func(name: string) -> result<bool, error>`.
    pub fn text(&self) -> String {
        let mut text = format!("{}: func(", self.function);
        for (i, (name, ty)) in self.params.iter().enumerate() {
            text.push_str(if i == 0 { "" } else { ", " });
            let _ = write!(text, "{name}: ");
            self.write(ty, true, 0, &mut text);
        }
        text.push(')');
        if let Some(result) = &self.result {
            text.push_str(" -> ");
            self.write(result, true, 0, &mut text);
        }
        text
    }

    /// What changes from `self` to `after`, as lines that begin with `- ` and `+ `: the function
    /// first, then the types it names whose definitions differ. Empty if nothing changes.
    pub fn changes(&self, after: &Signature) -> Vec<String> {
        if self.same(after) {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut compare = |before: Option<String>, after: Option<String>| {
            if before != after {
                lines.extend(before.map(|text| format!("- {text}")));
                lines.extend(after.map(|text| format!("+ {text}")));
            }
        };
        compare(Some(self.text()), Some(after.text()));
        let (mut old, mut new) = (self.definitions(), after.definitions());
        for (name, before) in std::mem::take(&mut old) {
            compare(Some(before), new.remove(&name));
        }
        for added in new.into_values() {
            compare(None, Some(added));
        }
        lines
    }

    /// The definitions of the named types that the function reaches, by name.
    fn definitions(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut open: Vec<Type> = self
            .params
            .iter()
            .map(|(_, ty)| ty.clone())
            .chain(self.result.clone())
            .collect();
        // Each named type is opened once. Types without names are no deeper than the codec allows.
        while let Some(ty) = open.pop() {
            if let Some(name) = self.name(&ty) {
                if found.contains_key(name) {
                    continue;
                }
                let mut text = String::new();
                self.write(&ty, false, 0, &mut text);
                found.insert(name.to_owned(), define(name, &text));
            }
            open.extend(parts(&ty).into_iter().filter_map(|(_, ty, _)| ty));
        }
        found
    }

    fn name(&self, ty: &Type) -> Option<&str> {
        // Only types that WIT declares have names of their own: an alias of `u32` is a `u32`.
        if !matches!(ty, Type::Record(_) | Type::Variant(_) | Type::Enum(_) | Type::Flags(_)) {
            return None;
        }
        self.named.iter().find(|(_, t)| t == ty).map(|(name, _)| &**name)
    }

    /// Writes a type: by its name if it has one and `by_name` is set, else with its parts.
    fn write(&self, ty: &Type, by_name: bool, depth: u32, out: &mut String) {
        if depth > MAX_DEPTH || out.len() > MAX_TEXT_BYTES {
            out.push('…');
            return;
        }
        if let Some(name) = self.name(ty).filter(|_| by_name) {
            out.push_str(name);
            return;
        }
        out.push_str(keyword(ty));
        let (open, close) = match ty {
            Type::Record(_) | Type::Variant(_) | Type::Enum(_) | Type::Flags(_) => (" { ", " }"),
            _ => ("<", ">"),
        };
        let parts = parts(ty);
        if parts.is_empty() {
            return;
        }
        out.push_str(open);
        for (i, (before, ty, after)) in parts.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { ", " });
            out.push_str(before);
            if let Some(ty) = ty {
                self.write(ty, true, depth + 1, out);
            }
            out.push_str(after);
        }
        out.push_str(close);
    }
}

/// Puts the name into `record { code: s32 }`: `record error { code: s32 }`.
fn define(name: &str, text: &str) -> String {
    match text.split_once(' ') {
        Some((kind, body)) => format!("{kind} {name} {body}"),
        None => format!("type {name} = {text}"),
    }
}

/// The word for a type in WIT.
fn keyword(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::S8 => "s8",
        Type::U8 => "u8",
        Type::S16 => "s16",
        Type::U16 => "u16",
        Type::S32 => "s32",
        Type::U32 => "u32",
        Type::S64 => "s64",
        Type::U64 => "u64",
        Type::Float32 => "f32",
        Type::Float64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::List(_) => "list",
        Type::Tuple(_) => "tuple",
        Type::Option(_) => "option",
        Type::Result(_) => "result",
        Type::Record(_) => "record",
        Type::Variant(_) => "variant",
        Type::Enum(_) => "enum",
        Type::Flags(_) => "flags",
        // The codec accepts no other type.
        _ => "resource",
    }
}

/// A part of a type: the text before it, its own type if it has one, and the text after it.
type Part = (String, Option<Type>, &'static str);

/// What a type is made of; nothing for a plain type.
fn parts(ty: &Type) -> Vec<Part> {
    let name = |name: &str| (name.to_owned(), None, "");
    let part = |ty: Type| (String::new(), Some(ty), "");
    match ty {
        Type::List(list) => vec![part(list.ty())],
        Type::Option(option) => vec![part(option.ty())],
        Type::Tuple(tuple) => tuple.types().map(part).collect(),
        Type::Enum(names) => names.names().map(name).collect(),
        Type::Flags(names) => names.names().map(name).collect(),
        Type::Result(result) => match (result.ok(), result.err()) {
            (None, Some(err)) => vec![name("_"), part(err)],
            (ok, err) => ok.into_iter().chain(err).map(part).collect(),
        },
        Type::Record(record) => record
            .fields()
            .map(|field| (format!("{}: ", field.name), Some(field.ty), ""))
            .collect(),
        Type::Variant(variant) => variant
            .cases()
            .map(|case| match case.ty {
                None => name(case.name),
                payload => (format!("{}(", case.name), payload, ")"),
            })
            .collect(),
        _ => Vec::new(),
    }
}
