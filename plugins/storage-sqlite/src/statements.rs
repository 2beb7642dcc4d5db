//! Every statement, in one place. A test prepares each against the migrated schema, and another one checks that every
//! list is read along an index.
//!
//! Lists begin below an id (`id < ?`); the largest id stands for the beginning, so that one statement serves every page.

/// Name statements, and list those that can be prepared on a migrated database.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)+
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}

/// The columns of a module, in a `SELECT`.
macro_rules! select_modules {
    ($rest:literal) => {
        concat!(
            "SELECT id, owner_id, name, version, sha256, size_bytes, visibility, created_at, last_executed_at, description, ",
            "inspection FROM wasm_modules ",
            $rest
        )
    };
}

/// The columns of an execution, in a `SELECT` of a user's. `INDEXED BY`, because the planner would rather read all of a
/// user's executions along the primary key than those of one module or status.
macro_rules! select_executions {
    (list $index:literal, $condition:literal) => {
        select_executions!(
            $index,
            concat!(
                "id < ?2 AND id >= ?3 AND created_at >= ?4 AND created_at < ?5",
                $condition,
                " ORDER BY id DESC LIMIT ?6"
            )
        )
    };
    ($index:literal, $condition:expr) => {
        concat!(
            "SELECT id, user_id, key_id, module_id, module_name, module_version, module_sha256, status, exit_code, ",
            "termination, error, limit_timeout_ms, limit_memory, wall_us, cpu_us, queued_us, compile_us, peak_memory, ",
            "stdout_bytes, stderr_bytes, memory_limit_hit, truncated, created_at FROM usage_logs ",
            $index,
            " WHERE user_id = ?1 AND ",
            $condition
        )
    };
}

statements! {
    BEGIN = "BEGIN IMMEDIATE";
    COMMIT = "COMMIT";
    ROLLBACK = "ROLLBACK";
    PING = "SELECT 1";
    HAS_MIGRATIONS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";
    APPLIED_MIGRATIONS = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

    INSERT_USER = "INSERT INTO users (id, name, tier, role, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    USER_BY_ID = "SELECT id, name, tier, role, created_at FROM users WHERE id = ?1";
    USER_BY_NAME = "SELECT id, name, tier, role, created_at FROM users WHERE name = ?1";
    LIST_USERS = "SELECT id, name, tier, role, created_at FROM users WHERE id < ?1 ORDER BY id DESC LIMIT ?2";

    INSERT_KEY = "INSERT INTO api_keys (id, user_id, name, prefix, hash, tier, role, scopes, created_at, expires_at, \
                  last_used_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    KEY_BY_HASH = "SELECT k.*, u.name AS user_name, u.tier AS user_tier, u.role AS user_role, \
                   u.created_at AS user_created_at FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.hash = ?1";
    LIST_KEYS = "SELECT * FROM api_keys WHERE user_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    REVOKE_KEY = "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?3) WHERE id = ?2 AND user_id = ?1";
    TOUCH_KEY = "UPDATE api_keys SET last_used_at = MAX(COALESCE(last_used_at, ?2), ?2) WHERE id = ?1";
    HAS_KEYS = "SELECT EXISTS (SELECT 1 FROM api_keys) AS found";

    NEXT_VERSION = "SELECT COALESCE(MAX(version), 0) + 1 AS version FROM wasm_modules WHERE owner_id = ?1 AND name = ?2";
    INSERT_MODULE = "INSERT INTO wasm_modules (id, owner_id, name, version, sha256, size_bytes, visibility, created_at, \
                     description, inspection) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    MODULE_BY_ID = select_modules!(
        "WHERE id = ?1 AND deleted_at IS NULL AND (owner_id = ?2 OR visibility = 'public')"
    );
    // `?3` is whether the private ones count.
    MODULE_LATEST = select_modules!(
        "WHERE owner_id = ?1 AND name = ?2 AND deleted_at IS NULL AND (?3 OR visibility = 'public') \
         ORDER BY version DESC LIMIT 1"
    );
    MODULE_BY_VERSION = select_modules!(
        "WHERE owner_id = ?1 AND name = ?2 AND deleted_at IS NULL AND (?3 OR visibility = 'public') AND version = ?4"
    );
    MODULE_BY_HASH = select_modules!(
        "WHERE owner_id = ?1 AND name = ?2 AND deleted_at IS NULL AND (?3 OR visibility = 'public') AND sha256 = ?4"
    );
    LIST_OWN = select_modules!(
        "WHERE owner_id = ?1 AND deleted_at IS NULL AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    LIST_OWN_NAMED = select_modules!(
        "WHERE owner_id = ?1 AND deleted_at IS NULL AND id < ?2 AND name = ?4 ORDER BY id DESC LIMIT ?3"
    );
    LIST_PRIVATE = select_modules!(
        "WHERE owner_id = ?1 AND deleted_at IS NULL AND visibility = 'private' AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    LIST_PRIVATE_NAMED = select_modules!(
        "WHERE owner_id = ?1 AND deleted_at IS NULL AND visibility = 'private' AND id < ?2 AND name = ?4 \
         ORDER BY id DESC LIMIT ?3"
    );
    LIST_PUBLIC = select_modules!(
        "WHERE deleted_at IS NULL AND visibility = 'public' AND id < ?1 ORDER BY id DESC LIMIT ?2"
    );
    LIST_PUBLIC_NAMED = select_modules!(
        "WHERE deleted_at IS NULL AND visibility = 'public' AND id < ?1 AND name = ?3 ORDER BY id DESC LIMIT ?2"
    );
    DELETE_MODULE = "UPDATE wasm_modules SET deleted_at = ?3 WHERE id = ?2 AND owner_id = ?1 AND deleted_at IS NULL";

    // A trigger notes at the module when it last ran.
    INSERT_EXECUTION = "INSERT INTO usage_logs (id, user_id, key_id, module_id, module_name, module_version, \
        module_sha256, status, exit_code, termination, error, limit_timeout_ms, limit_memory, wall_us, cpu_us, queued_us, \
        compile_us, peak_memory, stdout_bytes, stderr_bytes, memory_limit_hit, truncated, created_at) VALUES \
        (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)";
    EXECUTION_BY_ID = select_executions!("", "id = ?2");
    LIST_EXECUTIONS = select_executions!(list "", "");
    LIST_EXECUTIONS_OF_MODULE = select_executions!(list "INDEXED BY usage_of_module", " AND module_id = ?7");
    LIST_EXECUTIONS_BY_STATUS = select_executions!(list "INDEXED BY usage_by_status", " AND status = ?7");
    LIST_EXECUTIONS_OF_MODULE_BY_STATUS =
        select_executions!(list "INDEXED BY usage_of_module", " AND module_id = ?7 AND status = ?8");
}
