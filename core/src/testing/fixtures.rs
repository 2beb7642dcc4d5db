//! Ready-made records: complete, valid, each with an id and names of its own. Change the fields that a test is about.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    api_key::{ApiKey, KeySecret},
    execution::{ExecutedModule, ExecutionRecord, StoredLimits, Usage, Verdict},
    module::{Abi, Export, Import, Inspection, Module, ModuleHash, NewModule, Visibility},
    principal::{Role, Scope, Scopes, User},
    system::{Random, SystemRandom},
};

/// When the first record was made, in milliseconds since 1970: the time a [`super::ManualClock`] begins at.
const BEGINNING_MS: u64 = 1_800_000_000_000;

/// Make an id that is newer than every one before it, by a millisecond or more.
pub fn id() -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 10];
    SystemRandom.fill(&mut random);
    let millis = BEGINNING_MS + COUNT.fetch_add(1, Ordering::Relaxed);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The time in an id.
pub fn time_of(id: Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(id.as_u128() >> 80).unwrap_or_default();
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// A user.
pub fn user() -> User {
    let id = id();
    User { id, name: format!("user-{}", id.simple()), tier: "free".into(), role: Role::User, created_at: time_of(id) }
}

/// A key of a user's, neither expired nor revoked.
pub fn api_key(user: &User) -> ApiKey {
    let (id, secret) = (id(), KeySecret::generate(&SystemRandom));
    ApiKey {
        id,
        user_id: user.id,
        name: "laptop".into(),
        prefix: secret.prefix().to_owned(),
        hash: secret.hash(),
        tier: "free".into(),
        role: Role::User,
        scopes: Scopes(vec![Scope::ModulesRead, Scope::Execute]),
        created_at: time_of(id),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

/// A private module of an owner's. The bytes need not be a module: storages only keep what was found in them.
pub fn new_module(owner: Uuid, name: &str, bytes: &[u8]) -> NewModule {
    let id = id();
    NewModule {
        id,
        owner,
        name: name.to_owned(),
        description: "Says hello.".into(),
        sha256: ModuleHash::of(bytes),
        size_bytes: bytes.len() as u64,
        visibility: Visibility::Private,
        inspection: Inspection {
            abi: Abi::WasiPreview1,
            imports: vec![Import {
                module: "wasi_snapshot_preview1".into(),
                name: "fd_write".into(),
                ty: "(func (param i32 i32 i32 i32) (result i32))".into(),
            }],
            exports: vec![
                Export { name: "_start".into(), ty: "(func)".into() },
                Export { name: "memory".into(), ty: "(memory 2)".into() },
            ],
            memory_min_bytes: 131_072,
        },
        created_at: time_of(id),
    }
}

/// The record of an execution of a module by a user, which succeeded.
pub fn execution(user: &User, module: &Module) -> ExecutionRecord {
    let id = id();
    ExecutionRecord {
        id,
        user_id: user.id,
        key_id: None,
        module: ExecutedModule {
            id: Some(module.id),
            name: Some(module.name.clone()),
            version: Some(module.version),
            sha256: module.sha256,
        },
        verdict: Verdict::exited(0),
        limits: StoredLimits { timeout_ms: 5000, memory_bytes: 134_217_728 },
        usage: Usage {
            wall_us: 40,
            cpu_us: 30,
            queued_us: 5,
            compile_us: 2,
            peak_memory_bytes: 131_072,
            stdout_bytes: 6,
            stderr_bytes: 0,
            memory_limit_hit: false,
        },
        truncated: false,
        created_at: time_of(id),
    }
}
