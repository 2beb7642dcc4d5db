//! The server's own section, and logging.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plugin::Key;

/// The section `[server]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// The address to listen at.
    pub host: String,
    /// The port to listen at.
    pub port: u16,
    /// Where everything is kept that the server keeps itself.
    pub data_dir: PathBuf,
    /// Whether `serve` applies pending migrations.
    pub auto_migrate: bool,
    /// Whether an empty store is offered sample modules.
    pub samples: bool,
    /// The largest module, in bytes.
    pub max_module_bytes: u64,
    /// The largest body of any other request, in bytes.
    pub max_body_bytes: u64,
    /// Bodies held in memory at a time, in bytes.
    pub max_buffered_bytes: u64,
    /// The largest arguments and environment of one execution, in bytes.
    pub max_args_bytes: u64,
    /// Connections open at a time.
    pub max_connections: usize,
    /// How long a client may take to send a request's body, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long running requests may take to end after a signal to stop, in milliseconds.
    pub shutdown_grace_ms: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8080,
            data_dir: "./data".into(),
            auto_migrate: false,
            samples: false,
            max_module_bytes: 32 << 20,
            max_body_bytes: 16 << 20,
            max_buffered_bytes: 256 << 20,
            max_args_bytes: 128 << 10,
            max_connections: 4096,
            body_timeout_ms: 60_000,
            shutdown_grace_ms: 10_000,
        }
    }
}

impl ServerConfig {
    /// What each key does.
    pub const KEYS: &'static [Key] = &[
        Key::new("host", "address to listen at; 0.0.0.0 for every interface"),
        Key::new("port", "port to listen at; 0 takes a free one and prints it"),
        Key::new("data_dir", "folder for the database, modules, compiled modules and the key that seals them"),
        Key::new("auto_migrate", "apply pending migrations when `serve` starts; else `wasmwiz migrate` does"),
        Key::new("samples", "offer sample modules (hello, echo, wordcount, ...) to every user"),
        Key::new("max_module_bytes", "largest module in bytes; compiling costs about 10 times its size in memory"),
        Key::new("max_body_bytes", "largest body of any other request in bytes: input, files and arguments"),
        Key::new("max_buffered_bytes", "bodies held in memory at a time, in bytes; beyond it requests get 503"),
        Key::new("max_args_bytes", "arguments and environment of one execution in bytes; as Linux's MAX_ARG_STRLEN"),
        Key::new("max_connections", "connections open at a time; further ones wait to be accepted"),
        Key::new("body_timeout_ms", "time a client has to send a body, so that slow ones do not hold memory for ever"),
        Key::new("shutdown_grace_ms", "time running requests have to end after SIGTERM, before they are cancelled"),
    ];

    /// Check what the types cannot say.
    ///
    /// # Errors
    /// The key, and the rest of the sentence that begins with it: what it is and what would be right.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let positive = [
            ("max_module_bytes", self.max_module_bytes),
            ("max_body_bytes", self.max_body_bytes),
            ("body_timeout_ms", self.body_timeout_ms),
            ("max_connections", self.max_connections as u64),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err((key, "0; it must be at least 1".into()));
        }
        let largest = self.max_module_bytes.saturating_add(self.max_body_bytes);
        if self.max_buffered_bytes < largest {
            let found = self.max_buffered_bytes;
            let right = "it must hold at least one request: max_module_bytes + max_body_bytes";
            return Err(("max_buffered_bytes", format!("{found}; {right} = {largest}")));
        }
        Ok(())
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: a JSON object a line.
    Json,
}

/// The section `[log]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Which lines are written, as `tracing_subscriber::EnvFilter` reads it.
    pub filter: String,
    /// How they are written.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text }
    }
}

impl LogConfig {
    /// What each key does.
    pub const KEYS: &'static [Key] = &[
        Key::new("filter", "which lines: a level (error, warn, info, debug, trace), or `info,wasmwiz=debug`"),
        Key::new("format", "`text` for people, `json` for programs"),
    ];
}
