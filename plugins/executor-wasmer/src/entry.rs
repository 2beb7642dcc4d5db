//! Where an execution begins: `_start`, or the function the caller names.

use wasmer::{ExportIndex, Instance, Module, RuntimeError, Store, Type, Value as WasmValue};
use wasmwiz_core::{
    Error,
    execution::{Entrypoint, Failure, Number, Status, Value, Verdict},
};

/// A command's entry point.
const START: &str = "_start";
/// What a reactor wants called before anything else, once.
pub(crate) const INITIALIZE: &str = "_initialize";
/// How many functions an answer lists.
const MOST_LISTED: usize = 20;

/// Where to begin.
pub(crate) enum Entry {
    /// `_start`.
    Command,
    /// An exported function and its arguments.
    Function(String, Vec<WasmValue>),
}

/// Why there is nowhere to begin.
pub(crate) enum Refusal {
    /// The module has no entry point.
    Verdict(Box<Verdict>),
    /// The caller asked for one that is not there, or with arguments that do not fit.
    Invalid(Error),
}

impl Entry {
    /// Find where to begin in `module`.
    pub(crate) fn choose(module: &Module, asked: Option<&Entrypoint>) -> Result<Self, Refusal> {
        let info = module.info();
        let command = matches!(info.exports.get(START), Some(ExportIndex::Function(index)) if {
            let ty = &info.signatures[info.functions[*index]];
            ty.params().is_empty() && ty.results().is_empty()
        });
        match asked {
            None if command => Ok(Self::Command),
            None => {
                let message =
                    format!("the module has no `_start`; name a function with `entrypoint`: {}", list(module));
                let verdict = Verdict::failed(Status::Rejected, Failure::new("no_entry_point", message));
                Err(Refusal::Verdict(Box::new(verdict)))
            }
            Some(asked) if command => {
                let message =
                    format!("this module is a command: it has a `_start`, so `{}` cannot be called", asked.function);
                Err(invalid("entrypoint", message))
            }
            Some(asked) => Self::function(module, asked),
        }
    }

    fn function(module: &Module, asked: &Entrypoint) -> Result<Self, Refusal> {
        let info = module.info();
        let index = match info.exports.get(&asked.function) {
            Some(ExportIndex::Function(index)) if !asked.function.starts_with('\0') => *index,
            _ => {
                let message =
                    format!("the module exports no function `{}`; it exports: {}", asked.function, list(module));
                return Err(invalid("entrypoint.function", message));
            }
        };
        let ty = &info.signatures[info.functions[index]];
        let numbers =
            |types: &[Type]| types.iter().all(|ty| matches!(ty, Type::I32 | Type::I64 | Type::F32 | Type::F64));
        if !numbers(ty.params()) || !numbers(ty.results()) {
            return Err(invalid(
                "entrypoint.function",
                format!("`{}` takes or gives other things than numbers", asked.function),
            ));
        }
        if asked.params.len() != ty.params().len() {
            let types: Vec<String> = ty.params().iter().map(|ty| ty.to_string().to_lowercase()).collect();
            let message = format!(
                "`{}` takes {} parameters ({}); {} were given",
                asked.function,
                types.len(),
                types.join(", "),
                asked.params.len()
            );
            return Err(invalid("entrypoint.params", message));
        }
        let params = asked.params.iter().zip(ty.params()).enumerate().map(|(index, (number, ty))| {
            convert(*number, *ty).ok_or_else(|| {
                let ty = ty.to_string().to_lowercase();
                invalid(&format!("entrypoint.params[{index}]"), format!("{} does not fit the type {ty}", show(*number)))
            })
        });
        Ok(Self::Function(asked.function.clone(), params.collect::<Result<_, _>>()?))
    }

    /// Whether it sees to the module's initialization itself: a command does, and so does `_initialize`.
    pub(crate) fn initializes(&self) -> bool {
        match self {
            Self::Command => true,
            Self::Function(name, _) => name == INITIALIZE,
        }
    }

    /// Begin.
    pub(crate) fn call(&self, store: &mut Store, instance: &Instance) -> Result<Vec<Value>, RuntimeError> {
        let missing = |error: wasmer::ExportError| RuntimeError::new(error.to_string());
        match self {
            Self::Command => {
                let start = instance.exports.get_typed_function::<(), ()>(store, START).map_err(missing)?;
                start.call(store)?;
                Ok(Vec::new())
            }
            Self::Function(name, params) => {
                let function = instance.exports.get_function(name).map_err(missing)?;
                let results = function.call(store, params)?;
                Ok(results.iter().filter_map(from_wasm).collect())
            }
        }
    }
}

fn invalid(location: &str, message: String) -> Refusal {
    Refusal::Invalid(Error::invalid(location, message))
}

fn list(module: &Module) -> String {
    let exports = module.info().exports.iter();
    let functions =
        exports.filter(|(name, index)| matches!(index, ExportIndex::Function(_)) && !name.starts_with('\0'));
    let names: Vec<&str> = functions.map(|(name, _)| name.as_str()).collect();
    match names.len() {
        0 => "it exports no function".to_owned(),
        count if count > MOST_LISTED => format!("{} and {} more", names[..MOST_LISTED].join(", "), count - MOST_LISTED),
        _ => names.join(", "),
    }
}

/// Read a number as a parameter's type asks. An unsigned integer of the type's width is taken for the signed one with
/// the same bits, as WebAssembly itself does not tell them apart.
fn convert(number: Number, ty: Type) -> Option<WasmValue> {
    match (number, ty) {
        (Number::Integer(value), Type::I32) => {
            i32::try_from(value).or_else(|_| u32::try_from(value).map(u32::cast_signed)).ok().map(WasmValue::I32)
        }
        (Number::Integer(value), Type::I64) => {
            i64::try_from(value).or_else(|_| u64::try_from(value).map(u64::cast_signed)).ok().map(WasmValue::I64)
        }
        (Number::Integer(value), Type::F32) => Some(WasmValue::F32(value as f32)),
        (Number::Integer(value), Type::F64) => Some(WasmValue::F64(value as f64)),
        (Number::Float(value), Type::F32) => Some(WasmValue::F32(value as f32)),
        (Number::Float(value), Type::F64) => Some(WasmValue::F64(value)),
        _ => None,
    }
}

fn from_wasm(value: &WasmValue) -> Option<Value> {
    match value {
        WasmValue::I32(value) => Some(Value::I32(*value)),
        WasmValue::I64(value) => Some(Value::I64(*value)),
        WasmValue::F32(value) => Some(Value::F32(*value)),
        WasmValue::F64(value) => Some(Value::F64(*value)),
        _ => None,
    }
}

fn show(number: Number) -> String {
    match number {
        Number::Integer(value) => value.to_string(),
        Number::Float(value) => value.to_string(),
    }
}
