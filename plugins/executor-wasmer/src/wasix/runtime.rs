//! The runtime that wasmer-wasix is given: one that can do nothing.
//!
//! Every wait of a guest goes through [`crate::stop::Stop`] and every call that would need more than memory is
//! refused before it gets to wasmer-wasix (see [`super::rules`]). What is left of a runtime is what its
//! constructors ask for. It has no state, so one serves all executions.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use wasmer_wasix::{
    Runtime, UnsupportedVirtualNetworking, VirtualTaskManager, WasiThreadError,
    runtime::{
        resolver::{MultiSource, Source},
        task_manager::TaskWasm,
    },
    virtual_net::DynVirtualNetworking,
};

/// A runtime without network, packages, terminal or threads.
#[derive(Debug)]
pub(super) struct Bare {
    network: DynVirtualNetworking,
    tasks: Arc<dyn VirtualTaskManager>,
    packages: Arc<dyn Source + Send + Sync>,
}

impl Bare {
    pub(super) fn new() -> Self {
        Self {
            network: Arc::new(UnsupportedVirtualNetworking::default()),
            tasks: Arc::new(NoTasks),
            packages: Arc::new(MultiSource::new()),
        }
    }
}

impl Runtime for Bare {
    fn networking(&self) -> &DynVirtualNetworking {
        &self.network
    }

    fn task_manager(&self) -> &Arc<dyn VirtualTaskManager> {
        &self.tasks
    }

    fn source(&self) -> Arc<dyn Source + Send + Sync> {
        self.packages.clone()
    }
}

/// A task manager that starts no tasks.
#[derive(Debug)]
struct NoTasks;

impl VirtualTaskManager for NoTasks {
    fn sleep_now(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync + 'static>> {
        // Only asked for as a time limit on work that is ready at once; see the module's text on waits.
        Box::pin(std::future::pending())
    }

    fn task_shared(
        &self,
        _: Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> + Send + 'static>,
    ) -> Result<(), WasiThreadError> {
        Err(WasiThreadError::Unsupported)
    }

    fn task_wasm(&self, _: TaskWasm) -> Result<(), WasiThreadError> {
        Err(WasiThreadError::Unsupported)
    }

    fn task_dedicated(&self, _: Box<dyn FnOnce() + Send + 'static>) -> Result<(), WasiThreadError> {
        Err(WasiThreadError::Unsupported)
    }

    fn thread_parallelism(&self) -> Result<usize, WasiThreadError> {
        Ok(1)
    }
}
