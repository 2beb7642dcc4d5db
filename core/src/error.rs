//! Why a request could not be served.

use std::time::Duration;

/// One thing that is wrong with what the caller sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// Where: a JSON pointer-like path, a form field, a query parameter, or a byte offset.
    pub location: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FieldError {
    /// Say what is wrong at `location`.
    pub fn new(location: impl Into<String>, message: impl Into<String>) -> Self {
        Self { location: location.into(), message: message.into() }
    }
}

/// The result of core's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request could not be served. An execution that ended badly is not among these: it has a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for does not exist, or is not the caller's.
    #[error("{0} not found")]
    NotFound(String),
    /// The caller sent something that cannot be right.
    #[error("invalid input: {}", .0.iter().map(|e| format!("{}: {}", e.location, e.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// The bytes are no WebAssembly module that can be stored.
    #[error("invalid module: {}: {}", .0.location, .0.message)]
    InvalidModule(FieldError),
    /// Something larger than its limit was sent.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What was too large.
        what: String,
        /// Its limit in bytes.
        limit: u64,
    },
    /// Nobody said who they are, or not so that it could be believed.
    #[error("{0}")]
    Unauthenticated(String),
    /// The caller is known and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// What is to be made is there already, with other content.
    #[error("{0}")]
    Conflict(String),
    /// The caller runs as many executions at a time as their tier allows.
    #[error("{running} executions are running, as many as tier `{tier}` allows at a time")]
    TooManyExecutions {
        /// The caller's tier.
        tier: String,
        /// How many run.
        running: usize,
    },
    /// The server has as much to do as it can hold.
    #[error("{what}; try again in {} s", .retry_after.as_secs().max(1))]
    Overloaded {
        /// What is full.
        what: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// A part that the server needs does not answer.
    #[error("{what} is unavailable")]
    Unavailable {
        /// Which part.
        what: String,
        /// What it said.
        #[source]
        source: BoxError,
    },
    /// Something went wrong that the caller cannot mend.
    #[error("{context}")]
    Internal {
        /// What was being done.
        context: String,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
}

/// Any error, kept as a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// Say that one thing the caller sent is wrong.
    pub fn invalid(location: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(location, message)])
    }

    /// Keep an error the caller cannot mend, with what was being done.
    pub fn internal(context: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Internal { context: context.into(), source: source.into() }
    }

    /// Keep the error of a part that does not answer.
    pub fn unavailable(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Unavailable { what: what.into(), source: source.into() }
    }
}

/// Write an error and its causes as one sentence.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
