//! Looking at a module before it is stored: is it one, and what does it import and export?

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use wasmer::wasmparser::{
    BinaryReaderError, ExternalKind, FuncType, FuncValidatorAllocations, Imports, MemoryType, Parser, Payload, RefType,
    TableType, TypeRef, ValType, ValidPayload, Validator,
    types::{EntityType, Types},
};
use wasmwiz_core::{
    Error, Result,
    error::FieldError,
    module::{Abi, CheckedModule, Export, Import, Inspection, ModuleHash},
};

use crate::{engine::validator_features, interrupt::START_EXPORT};

/// The bytes that every WebAssembly binary begins with.
const MAGIC: &[u8] = b"\0asm";
/// The longest text; reading it takes 25 times as much memory.
const MAX_TEXT: usize = 4 << 20;
/// How long checking may take. A module of 30 MB takes less than a second, one made for it takes ever so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many operators are checked between two looks at the clock.
const TURN: usize = 1024;
/// The most imports and exports that are listed; engines and people have no use for more.
const MAX_LISTED: usize = 10_000;

/// Check that `bytes` are a module, in the binary or the text format, and look into it. Ends early once `gone` is set,
/// because nobody waits for the answer any more.
///
/// # Errors
/// [`Error::InvalidModule`] with what is wrong, and at which byte or line.
pub(crate) fn inspect(bytes: Bytes, gone: &AtomicBool) -> Result<CheckedModule> {
    let wasm = if bytes.starts_with(MAGIC) { bytes } else { parse_text(bytes)? };
    let inspection = look_into(&wasm, gone)?;
    Ok(CheckedModule { sha256: ModuleHash::of(&wasm), inspection, wasm })
}

fn invalid(location: impl Into<String>, message: impl Into<String>) -> Error {
    Error::InvalidModule(FieldError::new(location, message))
}

/// Translate the text format. Anything that is neither format gets one answer for both.
fn parse_text(bytes: Bytes) -> Result<Bytes> {
    if bytes.is_empty() {
        return Err(invalid("byte 0", "the module is empty; send a .wasm binary or .wat text"));
    }
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.trim_start().starts_with(['(', ';']));
    let Some(text) = text else {
        let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let message = format!(
            "this is no WebAssembly: a .wasm binary begins with 00 61 73 6d, a .wat text with `(`; found {}",
            start.join(" ")
        );
        return Err(invalid("byte 0", message));
    };
    if text.len() > MAX_TEXT {
        return Err(invalid("wat", format!("text has at most {MAX_TEXT} bytes; send the binary (wat2wasm makes it)")));
    }
    let wasm = wat::parse_str(text).map_err(|error| invalid("wat", error.to_string()))?;
    Ok(wasm.into())
}

fn bad(error: BinaryReaderError) -> Error {
    invalid(format!("byte {}", error.offset()), error.message().to_owned())
}

/// Validate a binary as `Validator::validate_all` does, and look at the clock now and then.
fn validate(wasm: &[u8], gone: &AtomicBool) -> Result<Types> {
    let mut validator = Validator::new_with_features(validator_features());
    let started = Instant::now();
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match validator.payload(&payload.map_err(bad)?).map_err(bad)? {
            ValidPayload::Func(function, body) => {
                let mut function = function.into_validator(allocations);
                let mut reader = body.get_binary_reader();
                function.read_locals(&mut reader).map_err(bad)?;
                reader.set_features(validator_features());
                for count in 1_usize.. {
                    if reader.eof() {
                        break;
                    }
                    let mut visitor = function.visitor(reader.original_position());
                    reader.visit_operator(&mut visitor).and_then(|checked| checked).map_err(bad)?;
                    if count.is_multiple_of(TURN) && (gone.load(Ordering::Relaxed) || started.elapsed() > PATIENCE) {
                        let place = format!("byte {}", reader.original_position());
                        return Err(invalid(place, format!("checking takes more than {} s", PATIENCE.as_secs())));
                    }
                }
                reader.finish_expression(&function.visitor(reader.original_position())).map_err(bad)?;
                allocations = function.into_allocations();
            }
            ValidPayload::End(types) => return Ok(types),
            _ => {}
        }
    }
    Err(invalid(format!("byte {}", wasm.len()), "the module ends too early"))
}

fn look_into(wasm: &[u8], gone: &AtomicBool) -> Result<Inspection> {
    if Parser::is_component(wasm) {
        return Err(invalid("byte 4", "this is a component; core modules are run here (build for wasm32-wasip1)"));
    }
    let types = validate(wasm, gone)?;
    let mut found = Inspection { abi: Abi::None, imports: Vec::new(), exports: Vec::new(), memory_min_bytes: 0 };
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(bad)? {
            Payload::ImportSection(section) => {
                for group in section {
                    imports(&group.map_err(bad)?, &types, &mut found).map_err(bad)?;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    found.memory_min_bytes = found.memory_min_bytes.saturating_add(minimum(&memory.map_err(bad)?));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(bad)?;
                    if export.name == START_EXPORT {
                        return Err(invalid("exports", "an export's name must not begin with NUL"));
                    }
                    let ty = types.as_ref().entity_type_from_export(&export);
                    let ty = ty.map_or_else(|| kind(export.kind).to_owned(), |ty| entity(&ty, &types));
                    found.exports.push(Export { name: export.name.to_owned(), ty });
                }
            }
            _ => {}
        }
    }
    if found.imports.len() > MAX_LISTED || found.exports.len() > MAX_LISTED {
        return Err(invalid("module", format!("has more than {MAX_LISTED} imports or exports")));
    }
    found.abi = abi(found.imports.iter().map(|import| (import.module.as_str(), import.name.as_str())));
    Ok(found)
}

fn imports(group: &Imports<'_>, types: &Types, found: &mut Inspection) -> std::result::Result<(), BinaryReaderError> {
    let mut add = |import: wasmer::wasmparser::Import<'_>| {
        if let TypeRef::Memory(memory) = &import.ty {
            found.memory_min_bytes = found.memory_min_bytes.saturating_add(minimum(memory));
        }
        let ty = match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                let ty = types.as_ref().core_type_at_in_module(index);
                func(types[ty].unwrap_func())
            }
            TypeRef::Table(ty) => table(&ty),
            TypeRef::Memory(ty) => memory(&ty),
            TypeRef::Global(ty) => global(ty.content_type, ty.mutable),
            TypeRef::Tag(_) => "(tag)".to_owned(),
        };
        found.imports.push(Import { module: import.module.to_owned(), name: import.name.to_owned(), ty });
    };
    match group {
        Imports::Single(_, import) => add(*import),
        Imports::Compact1 { module, items } => {
            for item in items.clone() {
                let item = item?;
                add(wasmer::wasmparser::Import { module, name: item.name, ty: item.ty });
            }
        }
        Imports::Compact2 { module, ty, names } => {
            for name in names.clone() {
                add(wasmer::wasmparser::Import { module, name: name?, ty: *ty });
            }
        }
    }
    Ok(())
}

/// Tell the interface from the names that are imported. WASIX programs import preview 1 besides, and their memory.
pub(crate) fn abi<'a>(imports: impl Iterator<Item = (&'a str, &'a str)>) -> Abi {
    let [mut preview1, mut unstable, mut wasix, mut memory, mut other] = [false; 5];
    for import in imports {
        match import {
            ("wasi_snapshot_preview1", _) => preview1 = true,
            ("wasi_unstable", _) => unstable = true,
            ("wasix_32v1", _) => wasix = true,
            ("env", "memory") => memory = true,
            _ => other = true,
        }
    }
    match () {
        () if other || memory && !wasix => Abi::Unknown,
        () if wasix => Abi::Wasix,
        () if preview1 => Abi::WasiPreview1,
        () if unstable => Abi::WasiUnstable,
        () => Abi::None,
    }
}

fn minimum(memory: &MemoryType) -> u64 {
    memory.initial.saturating_mul(1 << memory.page_size_log2.unwrap_or(16))
}

fn kind(kind: ExternalKind) -> &'static str {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => "(func)",
        ExternalKind::Table => "(table)",
        ExternalKind::Memory => "(memory)",
        ExternalKind::Global => "(global)",
        ExternalKind::Tag => "(tag)",
    }
}

fn entity(ty: &EntityType, types: &Types) -> String {
    match ty {
        EntityType::Func(id) | EntityType::FuncExact(id) => func(types[*id].unwrap_func()),
        EntityType::Table(ty) => table(ty),
        EntityType::Memory(ty) => memory(ty),
        EntityType::Global(ty) => global(ty.content_type, ty.mutable),
        EntityType::Tag(_) => "(tag)".to_owned(),
    }
}

fn func(ty: &FuncType) -> String {
    let list = |word: &str, types: &[ValType]| match types {
        [] => String::new(),
        types => format!(" ({word} {})", types.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
    };
    format!("(func{}{})", list("param", ty.params()), list("result", ty.results()))
}

fn limits(initial: u64, maximum: Option<u64>) -> String {
    maximum.map_or_else(|| initial.to_string(), |maximum| format!("{initial} {maximum}"))
}

fn table(ty: &TableType) -> String {
    let element = if ty.element_type == RefType::FUNCREF { "funcref".to_owned() } else { ty.element_type.to_string() };
    format!("(table {} {element})", limits(ty.initial, ty.maximum))
}

fn memory(ty: &MemoryType) -> String {
    let shared = if ty.shared { " shared" } else { "" };
    format!("(memory {}{shared})", limits(ty.initial, ty.maximum))
}

fn global(ty: ValType, mutable: bool) -> String {
    if mutable { format!("(global (mut {ty}))") } else { format!("(global {ty})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &'static str) -> Inspection {
        inspect(Bytes::from_static(text.as_bytes()), &AtomicBool::new(false)).unwrap().inspection
    }

    fn refusal(bytes: &'static [u8]) -> String {
        inspect(Bytes::from_static(bytes), &AtomicBool::new(false)).unwrap_err().to_string()
    }

    #[test]
    fn what_a_module_imports_and_exports_is_told_as_wat() {
        let found = look(
            r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 2 8) (table (export "t") 1 funcref) (global (export "g") (mut i64) (i64.const 1))
                (func (export "_start")) (func (export "f") (param f64) (result i32 i64) unreachable))"#,
        );
        assert_eq!(found.abi, Abi::WasiPreview1);
        assert_eq!(found.imports[0].ty, "(func (param i32 i32 i32 i32) (result i32))");
        let types: Vec<_> = found.exports.iter().map(|export| export.ty.as_str()).collect();
        let expected = [
            "(memory 2 8)",
            "(table 1 funcref)",
            "(global (mut i64))",
            "(func)",
            "(func (param f64) (result i32 i64))",
        ];
        assert_eq!(types, expected);
        assert_eq!(found.memory_min_bytes, 2 * 65536);
        assert!(found.is_command());
    }

    #[test]
    fn the_interface_is_told_from_the_imports() {
        assert_eq!(look("(module)").abi, Abi::None);
        assert_eq!(look(r#"(module (import "wasi_unstable" "x" (func)))"#).abi, Abi::WasiUnstable);
        assert_eq!(look(r#"(module (import "env" "x" (func)))"#).abi, Abi::Unknown);
        let wasix = r#"(module (import "wasix_32v1" "x" (func)) (import "env" "memory" (memory 1 2 shared)))"#;
        assert_eq!(look(wasix).abi, Abi::Wasix);
    }

    #[test]
    fn what_is_no_module_is_refused_with_the_place() {
        assert!(refusal(b"").contains("empty"));
        assert!(refusal(b"\x7fELF").contains("7f 45 4c 46"));
        assert!(refusal(b"\0asm\x02\0\0\0").contains("byte 4"));
        assert!(refusal(b"\0asm\x0d\0\x01\0").contains("component"));
        assert!(refusal(b"\0asm\x01\0\0\0\x01").contains("byte 9"));
        assert!(refusal(b"(module (func (result i32)))").contains("byte"));
        assert!(refusal(b"(module (funk))").contains(":1:"));
    }
}
