//! What can go wrong with the database, and what it means to a caller.

use wasmwiz_core::Error;

use crate::schema::SchemaError;

/// What went wrong in a piece of work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The database or its driver said so.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The schema is not one that this program can use.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The work itself came to an answer that is no success.
    #[error(transparent)]
    Answer(#[from] Error),
    /// The transaction that the work was part of did not come about.
    #[error("the transaction was undone: {0}")]
    Undone(String),
    /// The storage was closed, or its writer has ended.
    #[error("the database is closed")]
    Closed,
    /// The queue to the database was full for too long.
    #[error("the database is too busy")]
    Busy,
}

/// SQLite's result codes (<https://www.sqlite.org/rescode.html>), without the extension in the upper bits.
const CONSTRAINT: i32 = 19;
/// NOMEM, BUSY, LOCKED, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL: the same request may do well later.
const PASSING: [i32; 9] = [7, 5, 6, 8, 9, 10, 13, 14, 15];
/// NOTADB.
pub(crate) const NOT_A_DATABASE: i32 = 26;

/// The result code of an error that SQLite itself gave.
pub(crate) fn code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

impl Fault {
    /// Whether the transaction that the work was part of may have been undone by it. SQLite undoes only the statement
    /// on a violated constraint, and on some other errors (disk full, out of memory) the whole transaction.
    pub(crate) fn undoes(&self) -> bool {
        use sqlx::Error as E;
        match self {
            Self::Answer(_) => false,
            Self::Database(error) => match error {
                E::Database(_) => code(error) != Some(CONSTRAINT),
                other => !matches!(
                    other,
                    E::RowNotFound | E::Decode(_) | E::Encode(_) | E::ColumnDecode { .. } | E::ColumnNotFound(_)
                ),
            },
            _ => true,
        }
    }

    /// Say what it means to a caller who wanted `context`.
    pub(crate) fn explain(self, context: &'static str) -> Error {
        use sqlx::Error as E;
        const WHAT: &str = "the database";
        match self {
            Self::Answer(error) => error,
            Self::Schema(error) => Error::internal(context, error),
            Self::Undone(_) | Self::Closed | Self::Busy => Error::unavailable(WHAT, self),
            Self::Database(error) => match error {
                E::Database(_) if code(&error).is_some_and(|code| PASSING.contains(&code)) => {
                    Error::unavailable(WHAT, error)
                }
                E::Io(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => Error::unavailable(WHAT, error),
                other => Error::internal(context, other),
            },
        }
    }
}

/// Turn a violated constraint into an answer: `taken` for uniqueness, and that `missing` was not found for a reference.
pub(crate) fn answer(error: sqlx::Error, taken: impl FnOnce() -> String, missing: impl FnOnce() -> String) -> Fault {
    use sqlx::error::ErrorKind;
    match error.as_database_error().map(|error| error.kind()) {
        Some(ErrorKind::UniqueViolation) => Fault::Answer(Error::Conflict(taken())),
        Some(ErrorKind::ForeignKeyViolation) => Fault::Answer(Error::NotFound(missing())),
        _ => Fault::Database(error),
    }
}
