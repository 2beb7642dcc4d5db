//! Traps in words.

use wasmer::RuntimeError;
use wasmer_types::TrapCode;
use wasmwiz_core::execution::Failure;

/// Say what a guest did that WebAssembly forbids.
pub(crate) fn describe(error: &RuntimeError) -> Failure {
    let Some(code) = error.clone().to_trap() else {
        return Failure::new("trap", error.message());
    };
    let (word, sentence) = match &code {
        TrapCode::StackOverflow => ("stack_overflow", "the guest called functions too deeply and ran out of stack"),
        TrapCode::HeapAccessOutOfBounds => ("memory_out_of_bounds", "the guest reached outside its memory"),
        TrapCode::HeapMisaligned | TrapCode::UnalignedAtomic => {
            ("unaligned_atomic", "the guest used an atomic instruction on an unaligned address")
        }
        TrapCode::TableAccessOutOfBounds => ("table_out_of_bounds", "the guest reached outside a table"),
        TrapCode::IndirectCallToNull => ("null_function", "the guest called a function that a table does not have"),
        TrapCode::BadSignature => ("bad_signature", "the guest called a function of another type through a table"),
        TrapCode::IntegerOverflow => ("integer_overflow", "the guest divided so that the result does not fit"),
        TrapCode::IntegerDivisionByZero => ("integer_divide_by_zero", "the guest divided an integer by zero"),
        TrapCode::BadConversionToInteger => {
            ("bad_conversion_to_integer", "the guest converted a float that is no integer or does not fit")
        }
        TrapCode::UnreachableCodeReached => (
            "unreachable",
            "the guest reached an `unreachable` instruction: it panicked, aborted or failed an assertion",
        ),
        other => ("trap", other.message()),
    };
    Failure::new(word, with_trace(sentence, error))
}

/// Name the functions that were being called, innermost first, as far as the module has names.
fn with_trace(sentence: &str, error: &RuntimeError) -> String {
    const MOST: usize = 8;
    let names: Vec<String> = error
        .trace()
        .iter()
        .take(MOST)
        .map(|frame| {
            let index = frame.func_index();
            frame.function_name().map_or_else(|| format!("function {index}"), |name| name.chars().take(120).collect())
        })
        .collect();
    if names.is_empty() { sentence.to_owned() } else { format!("{sentence} (in {})", names.join(", called by ")) }
}
