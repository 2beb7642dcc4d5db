//! What holds for the database file: who may read it, what survives, what is refused.
#![allow(clippy::unwrap_used, reason = "a test panics at the first surprise")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use uuid::Uuid;
use wasmwiz_core::{
    Error,
    error::chain,
    principal::User,
    storage::{ModuleFilter, Page, SchemaStatus, Storage},
    testing::fixtures,
};
use wasmwiz_storage_sqlite::{SqliteConfig, SqliteStorage};

fn at(path: impl Into<PathBuf>) -> SqliteConfig {
    SqliteConfig { path: path.into(), ..SqliteConfig::default() }
}

async fn open(path: &Path) -> SqliteStorage {
    let storage = SqliteStorage::open(&at(path), None).await.unwrap();
    storage.migrate().await.unwrap();
    storage
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_folder_and_the_files_are_made_for_their_owner_alone() {
    let folder = TempDir::new().unwrap();
    let data_dir = folder.path().join("deep/data");
    let storage = SqliteStorage::open(&SqliteConfig::default(), Some(&data_dir)).await.unwrap();
    assert_eq!(storage.schema().await.unwrap(), SchemaStatus { applied: 0, pending: 1 });
    storage.migrate().await.unwrap();
    assert_eq!(mode(&data_dir), 0o700);
    for file in ["wasmwiz.db", "wasmwiz.db-wal", "wasmwiz.db-shm"] {
        assert_eq!(mode(&data_dir.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn names_that_sqlite_would_take_for_something_else_are_files() {
    let folder = TempDir::new().unwrap();
    for name in ["file:x.db?mode=memory", "a b%20c#d.db", ":memory:", "\u{1f980}.db"] {
        let path = folder.path().join(name);
        open(&path).await.close().await;
        assert!(fs::metadata(&path).unwrap().len() > 0, "{name}");
        assert_eq!(open(&path).await.schema().await.unwrap().pending, 0);
    }
}

#[tokio::test]
async fn closing_leaves_one_file_and_refuses_what_comes_later() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder.path().join("x.db")).await;
    let user = fixtures::user();
    storage.create_user(&user).await.unwrap();
    storage.close().await;
    storage.close().await;
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["x.db"]);
    assert!(matches!(storage.user(user.id).await, Err(Error::Unavailable { .. })));
    assert!(matches!(storage.create_user(&fixtures::user()).await, Err(Error::Unavailable { .. })));
    assert!(matches!(storage.ping().await, Err(Error::Unavailable { .. })));
    assert_eq!(open(&folder.path().join("x.db")).await.user(user.id).await.unwrap(), Some(user));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    for (name, content) in [("notes.txt", "dear diary, ".repeat(500)), ("short", "x".repeat(120))] {
        let path = folder.path().join(name);
        fs::write(&path, &content).unwrap();
        let error = SqliteStorage::open(&at(&path), None).await.unwrap_err().to_string();
        let expected = format!("`{}` is not a SQLite database; move it away", path.display());
        assert!(error.starts_with(&expected), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    let error = SqliteStorage::open(&at(folder.path()), None).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot create"), "{error}");
}

#[tokio::test]
async fn a_database_of_a_newer_or_a_changed_program_is_refused() {
    let folder = TempDir::new().unwrap();
    for (change, says) in [
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'from the future', true, x'00', 1)",
            "the database has migration 9999, and this program knows migrations up to",
        ),
        ("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1", "its checksum differs"),
    ] {
        let path = folder.path().join(says);
        let storage = open(&path).await;
        raw(&path).await.close().await.unwrap();
        let mut connection = raw(&path).await;
        sqlx::query(change).execute(&mut connection).await.unwrap();
        for result in [storage.migrate().await, storage.schema().await] {
            let error = chain(&result.unwrap_err());
            assert!(error.contains(says), "{error}");
        }
        let error = SqliteStorage::open(&at(&path), None).await.unwrap_err();
        assert!(chain(&*error).contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_programs_may_open_migrate_and_write_one_file_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    let each = |_| {
        let path = path.clone();
        async move {
            let storage = open(&path).await;
            for number in 0..20_u8 {
                storage.insert_module(&fixtures::new_module(User::LOCAL, "echo", &[number])).await.unwrap();
            }
            storage.close().await;
        }
    };
    (0..8).map(each).collect::<tokio::task::JoinSet<_>>().join_all().await;
    let filter = ModuleFilter { viewer: User::LOCAL, ..ModuleFilter::default() };
    let modules = open(&path).await.list_modules(&filter, Page { limit: 99, before: None }).await.unwrap();
    let mut versions: Vec<u32> = modules.iter().map(|module| module.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_database_that_another_program_holds_is_unavailable_and_can_still_be_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    open(&path).await.close().await;
    let config = SqliteConfig { busy_timeout_ms: 200, ..at(&path) };
    let storage = SqliteStorage::open(&config, None).await.unwrap();
    let mut holder = raw(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
    let start = Instant::now();
    let user = fixtures::user();
    assert!(matches!(storage.create_user(&user).await, Err(Error::Unavailable { .. })));
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(matches!(storage.ping().await, Err(Error::Unavailable { .. })));
    assert_eq!(storage.user(user.id).await.unwrap(), None);
    sqlx::query("ROLLBACK").execute(&mut holder).await.unwrap();
    storage.create_user(&user).await.unwrap();
}

/// Not a check of its own: what [`what_was_answered_survives_a_kill`] starts and kills.
#[tokio::test(flavor = "multi_thread")]
async fn write_until_killed() {
    let Ok(path) = std::env::var("WASMWIZ_TEST_DATABASE") else { return };
    let storage = Arc::new(open(Path::new(&path)).await);
    let module = storage.insert_module(&fixtures::new_module(User::LOCAL, "echo", b"bytes")).await.unwrap().module;
    let local = storage.user(User::LOCAL).await.unwrap().unwrap();
    let each = |_| {
        let (storage, local, module) = (storage.clone(), local.clone(), module.clone());
        async move {
            loop {
                let record = fixtures::execution(&local, &module);
                storage.record_execution(&record).await.unwrap();
                writeln!(std::io::stdout(), "kept {}", record.id).unwrap();
            }
        }
    };
    (0..8).map(each).collect::<tokio::task::JoinSet<()>>().join_all().await;
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "write_until_killed", "--nocapture"])
        .env("WASMWIZ_TEST_DATABASE", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let kept = |line: String| line.split("kept ").nth(1).and_then(|id| id.parse::<Uuid>().ok());
    let mut ids: Vec<Uuid> = lines.by_ref().map(|line| line.unwrap()).filter_map(kept).take(500).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    ids.extend(lines.map_while(Result::ok).filter_map(kept));
    let storage = open(&path).await;
    assert!(ids.len() >= 500);
    for id in ids {
        assert!(storage.execution(User::LOCAL, id).await.unwrap().is_some(), "{id} was answered");
    }
}
