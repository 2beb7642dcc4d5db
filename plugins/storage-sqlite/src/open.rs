//! Finding, creating and opening the database file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    config::{Durability, SqliteConfig},
    fault,
};

/// The file's name when none is set.
const FILE_NAME: &str = "wasmwiz.db";
/// How far the write-ahead log may have grown before it is cut back, in bytes.
const WAL_KEPT: &str = "67108864";

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("`{}` is not a SQLite database; move it away, or set `storage.sqlite.path` to another file", .0.display())]
    NotADatabase(PathBuf),
    #[error("cannot create `{}`", .0.display())]
    Create(PathBuf, #[source] io::Error),
    #[error("cannot open the database `{}`", .0.display())]
    Open(PathBuf, #[source] sqlx::Error),
}

/// Where the records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In memory, in the one connection that there is.
    Memory,
    /// In this file.
    File(PathBuf),
}

impl Place {
    /// Decide by the configuration and the data folder.
    pub(crate) fn of(config: &SqliteConfig, data_dir: Option<&Path>) -> io::Result<Self> {
        let path = match (config.path.as_os_str().is_empty(), data_dir) {
            (true, None) => return Ok(Self::Memory),
            (true, Some(folder)) => folder.join(FILE_NAME),
            (false, _) if config.path.as_os_str() == ":memory:" => return Ok(Self::Memory),
            (false, _) => config.path.clone(),
        };
        // Absolute, so that it stays the same file for connections that are opened later, and no name of a file can be
        // taken for one of SQLite's own (":memory:", "file:...").
        std::path::absolute(path).map(Self::File)
    }
}

/// The connections to a database.
pub(crate) struct Connections {
    pub(crate) writer: SqliteConnection,
    /// `None` in memory, where there is one connection.
    pub(crate) readers: Option<SqlitePool>,
}

impl Connections {
    /// Open the database, and create it when it is not there.
    pub(crate) async fn open(config: &SqliteConfig, place: &Place) -> Result<Self, OpenError> {
        let wait = Duration::from_millis(config.busy_timeout_ms.into());
        let options = SqliteConnectOptions::new().foreign_keys(true).busy_timeout(wait).disable_statement_logging();
        let Place::File(path) = place else {
            let writer = options.connect().await.map_err(|error| OpenError::Open(":memory:".into(), error))?;
            return Ok(Self { writer, readers: None });
        };
        create(path).map_err(|error| OpenError::Create(path.clone(), error))?;
        let refuse = |error: sqlx::Error| match fault::code(&error) {
            Some(fault::NOT_A_DATABASE) => OpenError::NotADatabase(path.clone()),
            _ => OpenError::Open(path.clone(), error),
        };
        let synchronous = match config.durability {
            Durability::Disk => SqliteSynchronous::Full,
            Durability::System => SqliteSynchronous::Normal,
        };
        let options = options.filename(path).synchronous(synchronous);
        let mut writer = options.clone().pragma("journal_size_limit", WAL_KEPT).connect().await.map_err(refuse)?;
        use_wal(&mut writer, wait).await.map_err(refuse)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(config.max_readers)
            .acquire_timeout(wait)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(refuse)?;
        Ok(Self { writer, readers: Some(readers) })
    }
}

/// Switch to the write-ahead log. SQLite does not wait for others while it does so, so this does.
async fn use_wal(writer: &mut SqliteConnection, wait: Duration) -> Result<(), sqlx::Error> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        let switched = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *writer).await;
        match switched {
            Err(error) if matches!(fault::code(&error), Some(5 | 6)) && waited < wait => {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            other => return other.map(drop),
        }
    }
}

/// Create the file and the folders above it, readable by their owner alone: it holds hashes of keys and users' names.
fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Close a connection, whatever state it is in.
pub(crate) async fn close(connection: SqliteConnection) {
    // Nothing can be done about a failure: what was answered is in the log, and the next start finds it there.
    let _ = connection.close().await;
}
