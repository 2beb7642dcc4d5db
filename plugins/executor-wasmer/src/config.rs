//! The section `[executor.wasmer]`.

use serde::{Deserialize, Serialize};
use wasmwiz_core::{config::between, plugin::Key};

/// How modules are compiled and run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WasmerConfig {
    /// Threads that run guests.
    #[serde(deserialize_with = "between::<0, 4096, _, _>")]
    pub workers: usize,
    /// Executions that may wait for a thread.
    #[serde(deserialize_with = "between::<1, 1_000_000, _, _>")]
    pub queue: usize,
    /// A guest's call stack, in bytes.
    #[serde(deserialize_with = "between::<65_536, 104_857_600, _, _>")]
    pub stack_bytes: usize,
    /// Memory that executions which are not small share, in bytes.
    #[serde(deserialize_with = "between::<1_048_576, 1_099_511_627_776, _, _>")]
    pub memory_pool_bytes: u64,
    /// Memory that every execution has without asking, in bytes.
    #[serde(deserialize_with = "between::<0, 1_073_741_824, _, _>")]
    pub small_memory_bytes: u64,
    /// How long an execution waits for memory of the pool, in milliseconds.
    #[serde(deserialize_with = "between::<0, 60_000, _, _>")]
    pub memory_wait_ms: u64,
    /// Compiled modules in memory, in bytes.
    pub memory_cache_bytes: u64,
    /// Where compiled modules are kept; `<data_dir>/artifacts` when empty.
    pub cache_dir: String,
    /// Compiled modules on disk, in bytes.
    pub cache_bytes: u64,
    /// The compiler's process.
    pub compile: CompileConfig,
}

/// The limits of the compiler's process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompileConfig {
    /// Processes at a time.
    #[serde(deserialize_with = "between::<0, 256, _, _>")]
    pub processes: usize,
    /// Compilations that may run or wait.
    #[serde(deserialize_with = "between::<1, 100_000, _, _>")]
    pub queue: usize,
    /// How long a module waits for its turn, in milliseconds.
    #[serde(deserialize_with = "between::<0, 600_000, _, _>")]
    pub wait_ms: u64,
    /// Threads of one process.
    #[serde(deserialize_with = "between::<0, 256, _, _>")]
    pub threads: usize,
    /// Wall-clock time, in milliseconds.
    #[serde(deserialize_with = "between::<100, 3_600_000, _, _>")]
    pub timeout_ms: u64,
    /// Address space, in bytes.
    #[serde(deserialize_with = "between::<268_435_456, 1_099_511_627_776, _, _>")]
    pub memory_bytes: u64,
    /// The largest artifact, in bytes.
    #[serde(deserialize_with = "between::<1_048_576, 17_179_869_184, _, _>")]
    pub max_artifact_bytes: u64,
    /// How long a module that could not be compiled is refused without another try, in milliseconds.
    #[serde(deserialize_with = "between::<0, 86_400_000, _, _>")]
    pub failure_ttl_ms: u64,
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

impl Default for WasmerConfig {
    fn default() -> Self {
        Self {
            workers: 0,
            queue: 1024,
            stack_bytes: 1 << 20,
            memory_pool_bytes: 512 << 20,
            small_memory_bytes: 4 << 20,
            memory_wait_ms: 2_000,
            memory_cache_bytes: 256 << 20,
            cache_dir: String::new(),
            cache_bytes: 4 << 30,
            compile: CompileConfig::default(),
        }
    }
}

impl Default for CompileConfig {
    fn default() -> Self {
        Self {
            processes: 0,
            queue: 64,
            wait_ms: 10_000,
            threads: 0,
            timeout_ms: 20_000,
            memory_bytes: 2 << 30,
            max_artifact_bytes: 256 << 20,
            failure_ttl_ms: 60_000,
        }
    }
}

impl WasmerConfig {
    /// What each key does.
    pub const KEYS: &'static [Key] = &[
        Key::new(
            "workers",
            "threads that run guests; 0 is 16 for each core, so that guests which sleep or wait do not keep others out",
        ),
        Key::new("queue", "executions that may wait for a thread; beyond them callers get 503 instead of a long wait"),
        Key::new(
            "stack_bytes",
            "a guest's call stack in bytes; a deeper recursion traps. 1 MiB is what other engines give",
        ),
        Key::new(
            "memory_pool_bytes",
            "memory in bytes that executions share once they are not small; one takes its whole limit from it",
        ),
        Key::new(
            "small_memory_bytes",
            "memory in bytes that every execution has without asking the pool; workers * this is the most it comes to",
        ),
        Key::new(
            "memory_wait_ms",
            "how long an execution waits for the pool in milliseconds, before its caller gets 503",
        ),
        Key::new("memory_cache_bytes", "compiled modules kept in memory, in bytes; the least recently used go first"),
        Key::new("cache_dir", "folder of compiled modules; empty is <data_dir>/artifacts"),
        Key::new("cache_bytes", "compiled modules kept on disk, in bytes; the longest unused go first"),
        Key::new(
            "compile.processes",
            "compilations at a time; 0 is half the cores, so that the other half goes on serving",
        ),
        Key::new("compile.queue", "compilations that may run or wait; beyond them callers get 503"),
        Key::new(
            "compile.wait_ms",
            "how long a module waits for its turn to be compiled in milliseconds; then its caller gets 503",
        ),
        Key::new("compile.threads", "threads of one compilation; 0 is one for each core"),
        Key::new(
            "compile.timeout_ms",
            "wall-clock time of one compilation in milliseconds; 1 MB of wasm takes about one second",
        ),
        Key::new("compile.memory_bytes", "address space of the compiler's process in bytes, which bounds its memory"),
        Key::new("compile.max_artifact_bytes", "largest compiled module in bytes"),
        Key::new(
            "compile.failure_ttl_ms",
            "how long a module that could not be compiled is refused without another try, in milliseconds",
        ),
    ];

    /// Put figures where the configuration says "as many as fit the machine".
    pub(crate) fn resolved(mut self) -> Self {
        let or = |value: usize, otherwise: usize| if value == 0 { otherwise } else { value };
        self.workers = or(self.workers, 16 * cores());
        self.compile.processes = or(self.compile.processes, (cores() / 2).max(1));
        self.compile.threads = or(self.compile.threads, cores());
        self
    }
}
