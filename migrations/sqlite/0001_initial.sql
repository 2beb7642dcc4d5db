-- Ids are UUID v7 as 16-byte blobs: they sort by age as they are, and take half the room of text. Times are integers,
-- microseconds since 1970 (UTC): they compare without being parsed, and PostgreSQL keeps the same precision.
--
-- Tables with short rows are their own index (WITHOUT ROWID). Modules' rows are long, and keep a rowid.
-- Every list is read in the order of an index, from the newest id to the oldest; its query says which one.

CREATE TABLE users (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name       TEXT    NOT NULL UNIQUE,
    tier       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Users that the program itself needs: the owner of the modules every server offers, and who everybody is without login.
INSERT INTO users (id, name, tier, role, created_at) VALUES
    (x'00000000000070008000000000000001', 'samples', 'free', 'user', unixepoch() * 1000000),
    (x'00000000000070008000000000000002', 'local', 'pro', 'admin', unixepoch() * 1000000);

CREATE TABLE api_keys (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id      BLOB    NOT NULL REFERENCES users (id),
    name         TEXT    NOT NULL,
    prefix       TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    tier         TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_of_user ON api_keys (user_id, id);

CREATE TABLE wasm_modules (
    id               BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    owner_id         BLOB    NOT NULL REFERENCES users (id),
    name             TEXT    NOT NULL,
    version          INTEGER NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
    sha256           BLOB    NOT NULL CHECK (length(sha256) = 32),
    size_bytes       INTEGER NOT NULL CHECK (size_bytes >= 0),
    visibility       TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    -- The only column that changes often. Once it is set the row keeps its length, so that only its first page is written.
    last_executed_at INTEGER,
    deleted_at       INTEGER,
    description      TEXT    NOT NULL,
    -- What was found in the bytes: ABI, imports, exports, memory, as JSON.
    inspection       TEXT    NOT NULL,
    -- Deleted ones stay, so that their version numbers are never given again.
    UNIQUE (owner_id, name, version)
) STRICT;

CREATE UNIQUE INDEX modules_by_hash ON wasm_modules (owner_id, name, sha256) WHERE deleted_at IS NULL;
CREATE INDEX modules_by_version ON wasm_modules (owner_id, name, version) WHERE deleted_at IS NULL;
CREATE INDEX modules_of_owner ON wasm_modules (owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX modules_of_owner_named ON wasm_modules (owner_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX modules_private ON wasm_modules (owner_id, id) WHERE deleted_at IS NULL AND visibility = 'private';
CREATE INDEX modules_private_named ON wasm_modules (owner_id, name, id) WHERE deleted_at IS NULL AND visibility = 'private';
CREATE INDEX modules_public ON wasm_modules (id) WHERE deleted_at IS NULL AND visibility = 'public';
CREATE INDEX modules_public_named ON wasm_modules (name, id) WHERE deleted_at IS NULL AND visibility = 'public';

-- One row an execution. A record outlives its key and its module, so it names them without referring to them.
CREATE TABLE usage_logs (
    user_id           BLOB    NOT NULL REFERENCES users (id),
    id                BLOB    NOT NULL CHECK (length(id) = 16),
    key_id            BLOB,
    module_id         BLOB,
    module_name       TEXT,
    module_version    INTEGER,
    module_sha256     BLOB    NOT NULL,
    status            TEXT    NOT NULL,
    exit_code         INTEGER,
    -- Which limit ended it, and what went wrong, as JSON.
    termination       TEXT,
    error             TEXT,
    limit_timeout_ms  INTEGER NOT NULL,
    limit_memory      INTEGER NOT NULL,
    wall_us           INTEGER NOT NULL,
    cpu_us            INTEGER NOT NULL,
    queued_us         INTEGER NOT NULL,
    compile_us        INTEGER NOT NULL,
    peak_memory       INTEGER NOT NULL,
    stdout_bytes      INTEGER NOT NULL,
    stderr_bytes      INTEGER NOT NULL,
    memory_limit_hit  INTEGER NOT NULL,
    truncated         INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_of_module ON usage_logs (user_id, module_id, id) WHERE module_id IS NOT NULL;
CREATE INDEX usage_by_status ON usage_logs (user_id, status, id);

-- A trigger rather than a statement of its own: it is run for every execution, and a statement is a trip to the thread
-- of the connection and back.
CREATE TRIGGER usage_notes_last_execution AFTER INSERT ON usage_logs WHEN NEW.module_id IS NOT NULL
BEGIN
    UPDATE wasm_modules SET last_executed_at = NEW.created_at
    WHERE id = NEW.module_id AND (last_executed_at IS NULL OR last_executed_at < NEW.created_at);
END;
