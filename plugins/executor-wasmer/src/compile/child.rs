//! The compiler's own process: limits itself, reads the module from standard input, writes the answer to standard
//! output, and ends.

use std::{
    io::{Read, Write, stdin, stdout},
    process::ExitCode,
    str::FromStr,
};

use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use wasmer::Module;
use wasmwiz_core::helper::Helper;

use super::{ANSWER_ARTIFACT, ANSWER_REFUSED, EXIT_SYSTEM, HELPER};
use crate::{config::CompileConfig, engine};

inventory::submit! { Helper { name: HELPER, run } }

/// How much less important than the server the compiler is (nice(2)): as guests are, so that busy ones cannot starve it.
const NICENESS: i32 = 5;
/// The stack that the compiler gets; modules nest their blocks deeply.
const STACK_BYTES: usize = 64 << 20;

/// The child's arguments: its limits.
pub(super) fn limits(config: &CompileConfig) -> [String; 4] {
    // Processor time counts on every core, so it gets all cores' worth of the deadline and a second to start.
    let cpu_seconds = (config.timeout_ms / 1000 + 1) * config.threads as u64;
    [config.memory_bytes, cpu_seconds, config.max_artifact_bytes, config.threads as u64].map(|limit| limit.to_string())
}

fn run() -> ExitCode {
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be full too.
            let _ = writeln!(std::io::stderr(), "{error}");
            let system = error.is::<std::io::Error>() || error.is::<rustix::io::Errno>();
            ExitCode::from(if system { EXIT_SYSTEM } else { 1 })
        }
    }
}

fn compile() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let limits = std::env::args().skip(3).map(|arg| u64::from_str(&arg)).collect::<Result<Vec<_>, _>>()?;
    let [memory, cpu_seconds, output, threads] = limits[..] else { return Err("four limits are needed".into()) };
    let limit = |resource, value| setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
    limit(Resource::As, memory)?;
    limit(Resource::Cpu, cpu_seconds)?;
    limit(Resource::Fsize, output)?;
    // A core dump would hold a module's bytes; files beyond the few that are open have no business here.
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, 64)?;
    #[cfg(target_os = "linux")]
    {
        rustix::thread::set_no_new_privs(true)?;
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    }
    let _ = setpriority_process(None, NICENESS);

    let mut wasm = Vec::new();
    stdin().lock().read_to_end(&mut wasm)?;
    let threads = usize::try_from(threads)?;
    let compiler = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        Module::new(&engine::compiling(threads), &wasm)
            .map_err(|error| error.to_string())
            .and_then(|module| module.serialize().map_err(|error| error.to_string()))
    })?;
    let answer = compiler.join().map_err(|_| "the compiler panicked")?;
    let mut out = stdout().lock();
    match answer {
        Ok(artifact) => {
            out.write_all(ANSWER_ARTIFACT)?;
            out.write_all(&artifact)?;
        }
        Err(message) => {
            out.write_all(ANSWER_REFUSED)?;
            out.write_all(message.as_bytes())?;
        }
    }
    out.flush()?;
    Ok(())
}
