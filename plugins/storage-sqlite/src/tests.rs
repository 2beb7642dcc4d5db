//! What only this plugin can check of itself: its statements, and its writer when the database fails.

use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row, SqlSafeStr, SqliteConnection, sqlite::SqliteConnectOptions};
use wasmwiz_core::{
    Error,
    module::ModuleRef,
    principal::User,
    storage::{SchemaStatus, Storage},
    testing::fixtures,
};

use crate::{SqliteConfig, SqliteStorage, schema, statements as sql};

async fn migrated() -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new().connect().await.unwrap();
    schema::migrate(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let mut connection = migrated().await;
    for (name, statement) in sql::ALL {
        let prepared = (&mut connection).prepare(AssertSqlSafe(*statement).into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {}", prepared.unwrap_err());
    }
}

/// Two users' 40,000 executions of 20 modules, and a thousand users with keys and modules. Ids are numbers, written out.
const FILL: [&str; 5] = [
    "CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 40000) \
     SELECT i, CAST(printf('%016d', i) AS BLOB) AS id, CAST(printf('%016d', i % 2 + 1) AS BLOB) AS one_of_2, \
     CAST(printf('%016d', i % 7 + 1) AS BLOB) AS one_of_7, CAST(printf('%016d', i % 20 + 1) AS BLOB) AS one_of_20 FROM c",
    "INSERT INTO users SELECT id, 'user ' || i, 'free', 'user', 0 FROM n WHERE i <= 1000",
    "INSERT INTO api_keys SELECT id, one_of_7, '', '', randomblob(32), '', 'user', '', 0, NULL, NULL, NULL FROM n \
     WHERE i <= 1000",
    "INSERT INTO wasm_modules SELECT id, one_of_7, 'm' || i % 50, i, randomblob(32), 1, \
     iif(i % 3, 'private', 'public'), 0, NULL, iif(i % 5, NULL, 0), '', '{}' FROM n WHERE i <= 5000",
    "INSERT INTO usage_logs SELECT one_of_2, id, NULL, one_of_20, '', 1, x'', iif(i % 50, 'succeeded', 'failed'), 0, \
     NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM n",
];

/// How each statement that is used while requests are served finds its rows.
const PLANS: &[(&str, &str)] = &[
    ("USER_BY_ID", "users USING PRIMARY KEY (id=?)"),
    ("USER_BY_NAME", "users USING INDEX sqlite_autoindex_users_2 (name=?)"),
    ("LIST_USERS", "users USING PRIMARY KEY (id<?)"),
    ("KEY_BY_HASH", "k USING INDEX sqlite_autoindex_api_keys_2 (hash=?)"),
    ("LIST_KEYS", "api_keys USING INDEX api_keys_of_user (user_id=? AND id<?)"),
    ("REVOKE_KEY", "api_keys USING"),
    ("TOUCH_KEY", "api_keys USING PRIMARY KEY (id=?)"),
    ("NEXT_VERSION", "USING COVERING INDEX sqlite_autoindex_wasm_modules_2 (owner_id=? AND name=?)"),
    ("MODULE_BY_ID", "USING INDEX sqlite_autoindex_wasm_modules_1 (id=?)"),
    ("MODULE_LATEST", "USING INDEX modules_by_version (owner_id=? AND name=?)"),
    ("MODULE_BY_VERSION", "(owner_id=? AND name=? AND version=?)"),
    ("MODULE_BY_HASH", "USING INDEX modules_by_hash (owner_id=? AND name=? AND sha256=?)"),
    ("LIST_OWN", "USING INDEX modules_of_owner (owner_id=? AND id<?)"),
    ("LIST_OWN_NAMED", "USING INDEX modules_of_owner_named (owner_id=? AND name=? AND id<?)"),
    ("LIST_PRIVATE", "USING INDEX modules_private (owner_id=? AND id<?)"),
    ("LIST_PRIVATE_NAMED", "USING INDEX modules_private_named (owner_id=? AND name=? AND id<?)"),
    ("LIST_PUBLIC", "USING INDEX modules_public (id<?)"),
    ("LIST_PUBLIC_NAMED", "USING INDEX modules_public_named (name=? AND id<?)"),
    ("DELETE_MODULE", "USING INDEX sqlite_autoindex_wasm_modules_1 (id=?)"),
    ("EXECUTION_BY_ID", "usage_logs USING PRIMARY KEY (user_id=? AND id=?)"),
    ("LIST_EXECUTIONS", "usage_logs USING PRIMARY KEY (user_id=? AND id>? AND id<?)"),
    ("LIST_EXECUTIONS_OF_MODULE", "USING INDEX usage_of_module (user_id=? AND module_id=? AND id>? AND id<?)"),
    ("LIST_EXECUTIONS_BY_STATUS", "USING INDEX usage_by_status (user_id=? AND status=? AND id>? AND id<?)"),
    (
        "LIST_EXECUTIONS_OF_MODULE_BY_STATUS",
        "USING INDEX usage_of_module (user_id=? AND module_id=? AND id>? AND id<?)",
    ),
];

#[tokio::test]
async fn every_row_is_found_along_an_index_and_no_list_is_sorted() {
    let mut connection = migrated().await;
    for analyzed in [false, true] {
        if analyzed {
            // What the planner knows of the data must not talk it into something else.
            for statement in FILL.into_iter().chain(["ANALYZE"]) {
                sqlx::query(statement).execute(&mut connection).await.unwrap();
            }
        }
        for (name, expected) in PLANS {
            let (_, statement) = sql::ALL.iter().find(|(candidate, _)| candidate == name).unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let rows = sqlx::raw_sql(explain).fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            assert!(plan[0].contains(expected), "{name}: {plan:?}");
            assert!(plan.iter().all(|step| step.starts_with("SEARCH")), "{name}: {plan:?}");
        }
    }
}

/// SQLite undoes the whole transaction by itself when the disk is full; the writer must be able to begin another one.
#[tokio::test]
async fn a_full_disk_is_unavailable_until_there_is_room() {
    let storage = SqliteStorage::open(&SqliteConfig::default(), None).await.unwrap();
    storage.migrate().await.unwrap();
    let limit_pages = async |pages: u32| {
        let pragma = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        let work = storage.writer.write(|c| {
            Box::pin(async move {
                sqlx::query(pragma).execute(c).await?;
                Ok(())
            })
        });
        work.await.unwrap();
    };
    limit_pages(1).await;
    let mut big = fixtures::new_module(User::LOCAL, "echo", b"bytes");
    big.description = "x".repeat(1 << 20);
    for _ in 0..3 {
        assert!(matches!(storage.insert_module(&big).await, Err(Error::Unavailable { .. })));
    }
    assert_eq!(storage.find_module(User::LOCAL, &ModuleRef::Id(big.id)).await.unwrap(), None);
    limit_pages(u32::MAX >> 1).await;
    assert!(storage.insert_module(&big).await.unwrap().created);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let storage = SqliteStorage::open(&SqliteConfig::default(), None).await.unwrap();
    let spoil = |statement: &'static str| {
        storage.writer.write(move |c| {
            Box::pin(async move {
                sqlx::query(statement).execute(c).await?;
                Ok(())
            })
        })
    };
    // The last table of the first migration.
    spoil("CREATE TABLE usage_logs (x)").await.unwrap();
    assert!(storage.migrate().await.is_err());
    assert_eq!(storage.schema().await.unwrap(), SchemaStatus { applied: 0, pending: 1 });
    spoil("DROP TABLE usage_logs").await.unwrap();
    assert_eq!(storage.migrate().await.unwrap(), SchemaStatus { applied: 1, pending: 0 });
}
