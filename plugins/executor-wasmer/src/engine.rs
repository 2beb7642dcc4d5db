//! The compiler's settings, and the engine that runs what it made.

use std::{num::NonZero, sync::Arc};

use wasmer::{
    Engine,
    sys::{CompilerConfig, Cranelift, CraneliftOptLevel, EngineBuilder, Features, Target},
    wasmparser::WasmFeatures,
};

use crate::{interrupt::Interruptible, memory::LimitedTunables};

/// The WebAssembly proposals that modules may use. All of them are finished and on in every engine of note, threads
/// apart, which WASIX modules need for their shared memories.
fn features() -> Features {
    let mut features = Features::none();
    features
        .threads(true)
        .reference_types(true)
        .simd(true)
        .bulk_memory(true)
        .multi_value(true)
        .multi_memory(true)
        .extended_const(true);
    features
}

/// The same proposals for the validator, with those that Wasmer always allows.
pub(crate) fn validator_features() -> WasmFeatures {
    WasmFeatures::THREADS
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::SIMD
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::FLOATS
        | WasmFeatures::GC_TYPES
}

/// The engine that compiles. Only ever used in the compiler's own process.
pub(crate) fn compiling(threads: usize) -> Engine {
    let mut compiler = Cranelift::new();
    compiler.num_threads(NonZero::new(threads).unwrap_or(NonZero::<usize>::MIN));
    compiler.opt_level(CraneliftOptLevel::Speed);
    compiler.push_middleware(Arc::new(Interruptible::default()));
    EngineBuilder::new(compiler).set_features(Some(features())).engine().into()
}

/// The engine that runs artifacts. It has no compiler.
pub(crate) fn running(stack_bytes: usize) -> Engine {
    let mut engine = EngineBuilder::headless().set_features(Some(features())).engine();
    engine.set_tunables(LimitedTunables::new(stack_bytes));
    engine.into()
}

/// What an artifact depends on besides the module's bytes. Another value means: compile again.
pub(crate) fn fingerprint() -> String {
    let target = Target::default();
    let mut cpu: Vec<String> = target.cpu_features().iter().map(|feature| feature.to_string()).collect();
    cpu.sort_unstable();
    format!(
        "wasmwiz {} artifact 1; wasmer {}; {}; {}; cranelift speed, interruptible",
        env!("CARGO_PKG_VERSION"),
        wasmer_types::VERSION,
        target.triple(),
        cpu.join(","),
    )
}
