//! The schema: which migrations there are, and how a database stands to them.

use sqlx::{
    Row, SqliteConnection,
    migrate::{Migrate, MigrateError, Migration, Migrator},
};
use wasmwiz_core::storage::SchemaStatus;

use crate::{fault::Fault, statements};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Why the schema of a database cannot be used or brought up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error(
        "the database has migration {version}, and this program knows migrations up to {newest}: a newer wasmwiz has used \
         the database, so use that one, or restore a backup"
    )]
    Newer { version: i64, newest: i64 },
    #[error(
        "migration {version} is not the one that the database was made with (its checksum differs): this program was built \
         from changed migrations"
    )]
    Changed { version: i64 },
    #[error("a migration failed, and none was applied")]
    Failed(#[source] MigrateError),
}

/// Say how the database stands to the migrations.
pub(crate) async fn status(connection: &mut SqliteConnection) -> Result<SchemaStatus, Fault> {
    let applied = applied(connection).await?;
    let pending = MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version)).count();
    Ok(SchemaStatus { applied: applied.len(), pending })
}

/// Apply the migrations that the database has not, all or none. To be called in a transaction.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<SchemaStatus, Fault> {
    let applied = applied(connection).await?;
    connection.ensure_migrations_table(&MIGRATIONS.table_name).await.map_err(SchemaError::Failed)?;
    for migration in MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version)) {
        // The transaction is there already: one for all of them, begun so that no other process migrates meanwhile.
        let migration = Migration { no_tx: true, ..migration.clone() };
        connection.apply(&MIGRATIONS.table_name, &migration).await.map_err(SchemaError::Failed)?;
    }
    status(connection).await
}

/// List the versions applied, all of them known and unchanged.
async fn applied(connection: &mut SqliteConnection) -> Result<Vec<i64>, Fault> {
    if sqlx::query(statements::HAS_MIGRATIONS).fetch_optional(&mut *connection).await?.is_none() {
        return Ok(Vec::new());
    }
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let mut versions = Vec::new();
    for row in sqlx::query(statements::APPLIED_MIGRATIONS).fetch_all(connection).await? {
        let (version, checksum): (i64, Vec<u8>) = (row.try_get("version")?, row.try_get("checksum")?);
        match MIGRATIONS.iter().find(|migration| migration.version == version) {
            None => return Err(SchemaError::Newer { version, newest }.into()),
            Some(migration) if *migration.checksum != *checksum => return Err(SchemaError::Changed { version }.into()),
            Some(_) => versions.push(version),
        }
    }
    Ok(versions)
}
