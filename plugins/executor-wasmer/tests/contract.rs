//! Runs the executor's contract suite on Wasmer. The compiler's process is this very program.

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use wasmwiz_core::{executor::Executor, helper, system::System, testing::suites::executor::checks};
use wasmwiz_executor_wasmer::{WasmerConfig, WasmerExecutor};

fn main() -> ExitCode {
    if let Some(code) = helper::dispatch() {
        return code;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let system = System::new(Some(folder.path().to_owned()));
    let started = runtime.block_on(async { WasmerExecutor::start(WasmerConfig::default(), system) });
    let executor: Arc<dyn Executor> = Arc::new(started.expect("an executor"));
    let handle = runtime.handle().clone();
    let trials = checks().into_iter().map(|(name, check)| {
        let (executor, handle) = (executor.clone(), handle.clone());
        Trial::test(name, move || {
            handle.block_on(check(executor));
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
