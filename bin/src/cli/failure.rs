//! How a command fails: sentences for the terminal, and an exit code for scripts.

use std::{io, process::ExitCode};

use wasmwiz_core::{config::ConfigError, error::chain, plugin::PluginError};

/// The exit code of a command that was refused or could not do its work.
const REFUSED: u8 = 1;
/// The exit code of a program that wrote to a pipe nobody reads (128 + SIGPIPE), as shells have it.
const BROKEN_PIPE: u8 = 141;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// Fail with a sentence and the usual exit code.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: REFUSED }
    }

    /// Fail with another exit code. A broken pipe keeps its own.
    #[must_use]
    pub(super) fn with_code(self, code: u8) -> Self {
        Self { code: if self.code == BROKEN_PIPE { BROKEN_PIPE } else { code }, ..self }
    }

    /// Fail because `what` could not be read or written.
    pub(super) fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::new(format!("{what}: {error}"))
    }

    /// Fail because standard output could not be written. That its reader went away is said by the exit code alone.
    pub(super) fn stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { message: String::new(), code: BROKEN_PIPE },
            _ => Self::io("cannot write to standard output", error),
        }
    }

    /// Tell the user, and give the exit code.
    pub(super) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            super::output::complain(&self.message);
        }
        ExitCode::from(self.code)
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl From<wasmwiz_core::Error> for Failure {
    fn from(error: wasmwiz_core::Error) -> Self {
        Self::new(chain(&error))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(chain(&error))
    }
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Self::new(chain(&error))
    }
}
