//! Guests that can be stopped.
//!
//! The compiler adds a hidden global to every module and a check of it at every function's entry and every loop's
//! head: `if (stop) unreachable`. Setting the global from another thread ends the guest at its next check, wherever it
//! is. Code without loops and calls ends by itself within the time its length takes; bulk instructions end within the
//! time the largest memory takes to fill.
//!
//! Wasmer can also stop a guest by a signal. That needs no checks, but it can hit the guest inside Wasmer's own
//! helpers, which hold locks and must not be unwound, it panics on a signal from outside, and it can be missed. A check
//! costs a load, a store and a branch that is never taken, and is always sound.
//!
//! Refused `table.grow`s are noted in another hidden global, because Wasmer asks nobody before it refuses one.
//!
//! The start function is taken out of the module and exported under a hidden name, so that the sandbox calls it once
//! everything is in place, and a start function can be stopped as any other.

use std::sync::{Mutex, PoisonError};

use wasmer::{
    ExportIndex, GlobalInit, GlobalType, LocalFunctionIndex, Mutability, Type,
    sys::{FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware},
    wasmparser::{BlockType, Operator},
};
use wasmer_types::{GlobalIndex, ModuleInfo};

/// The name under which the start function is exported. No name in a module can contain this character and be
/// called through the API, where function names are checked.
pub(crate) const START_EXPORT: &str = "\u{0}wasmwiz.start";

/// The hidden globals, all `i32`. They are the last ones of the module, so the sandbox finds them without names.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    /// Written at every check. The compiler may not assume that memory stayed as it was across a write, so it reads
    /// the flag again each time instead of once before a loop.
    fence: GlobalIndex,
    /// 1 once a `table.grow` was refused. The last but one.
    refused: GlobalIndex,
    /// 1 once the guest is to stop. The last.
    flag: GlobalIndex,
}

/// Makes modules interruptible. One is used for one compilation.
#[derive(Debug, Default)]
pub(crate) struct Interruptible(Mutex<Option<Hidden>>);

impl ModuleMiddleware for Interruptible {
    fn generate_function_middleware<'a>(&self, _: LocalFunctionIndex) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        let hidden = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::new(Checks { hidden, entered: false })
    }

    fn transform_module_info(&self, module: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        let mut add = || {
            module.global_initializers.push(GlobalInit::I32Const(0));
            module.globals.push(GlobalType::new(Type::I32, Mutability::Var))
        };
        let hidden = Hidden { fence: add(), refused: add(), flag: add() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(hidden);
        if let Some(start) = module.start_function.take() {
            module.exports.insert(START_EXPORT.to_owned(), ExportIndex::Function(start));
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Checks {
    hidden: Option<Hidden>,
    entered: bool,
}

impl<'a> FunctionMiddleware<'a> for Checks {
    fn feed(&mut self, operator: Operator<'a>, state: &mut MiddlewareReaderState<'a>) -> Result<(), MiddlewareError> {
        let hidden = self.hidden.ok_or_else(|| MiddlewareError::new("interruptible", "no hidden globals were made"))?;
        if !std::mem::replace(&mut self.entered, true) {
            state.extend(&check(hidden));
        }
        let then: &[Operator<'a>] = match operator {
            Operator::Loop { .. } => &check(hidden),
            Operator::TableGrow { .. } => &note(hidden),
            _ => &[],
        };
        state.push_operator(operator);
        state.extend(then);
        Ok(())
    }
}

fn check<'a>(hidden: Hidden) -> [Operator<'a>; 6] {
    [
        Operator::I32Const { value: 0 },
        Operator::GlobalSet { global_index: hidden.fence.as_u32() },
        Operator::GlobalGet { global_index: hidden.flag.as_u32() },
        Operator::If { blockty: BlockType::Empty },
        Operator::Unreachable,
        Operator::End,
    ]
}

/// Look at the result of a `table.grow`, which stays where it is: -1 means refused.
fn note<'a>(hidden: Hidden) -> [Operator<'a>; 8] {
    let [result, refused] = [hidden.fence.as_u32(), hidden.refused.as_u32()];
    [
        Operator::GlobalSet { global_index: result },
        Operator::GlobalGet { global_index: result },
        Operator::I32Const { value: -1 },
        Operator::I32Eq,
        Operator::GlobalGet { global_index: refused },
        Operator::I32Or,
        Operator::GlobalSet { global_index: refused },
        Operator::GlobalGet { global_index: result },
    ]
}
