//! `/api/wasm/upload` and `/api/wasm/modules`: stored modules.

mod content;
mod delete;
mod explain;
mod get;
mod list;
mod upload;

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object};
use serde::Serialize;
use uuid::Uuid;
use wasmwiz_core::{
    module::{Abi, Module, Visibility},
    principal::{Principal, User},
};

pub(super) use self::{content::Content, delete::Delete, explain::Explain, get::Get, list::List, upload::Upload};

/// Who may run and see a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", rename = "Visibility", remote = "Visibility")]
pub(super) enum VisibilityName {
    /// Its owner.
    Private,
    /// Everybody who may use the server.
    Public,
}

/// Which interface to its host a module was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename = "Abi", remote = "Abi")]
pub(super) enum AbiName {
    /// `wasi_snapshot_preview1`.
    #[oai(rename = "wasi_preview1")]
    WasiPreview1,
    /// `wasi_unstable`, preview 1's predecessor.
    #[oai(rename = "wasi_unstable")]
    WasiUnstable,
    /// WASIX, WASI with threads, sockets and processes.
    #[oai(rename = "wasix")]
    Wasix,
    /// Imports nothing: pure computation.
    #[oai(rename = "none")]
    None,
    /// Imports something else; it cannot run here.
    #[oai(rename = "unknown")]
    Unknown,
}

/// Whose a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub(super) enum Owner {
    /// The caller's own.
    You,
    /// The server's: one of its samples.
    Samples,
    /// Another user's; it is public.
    Other,
}

/// A version of a stored module.
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "Module")]
pub(super) struct ModuleOut {
    /// Its id.
    id: Uuid,
    /// Its name; with `version` it is unique among its owner's.
    name: String,
    /// Counts up from 1 for a name.
    version: u32,
    /// What its owner says of it.
    description: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    sha256: String,
    /// The number of its bytes.
    size_bytes: u64,
    /// Who may run and see it.
    visibility: VisibilityName,
    /// The interface it was built for.
    abi: AbiName,
    /// Whose it is.
    owner: Owner,
    /// When it was uploaded.
    created_at: DateTime<Utc>,
    /// When it last ran; null: never.
    last_executed_at: Option<DateTime<Utc>>,
}

impl ModuleOut {
    /// Show `module` to `viewer`.
    pub(super) fn new(module: &Module, viewer: &Principal) -> Self {
        Self {
            id: module.id,
            name: module.name.clone(),
            version: module.version,
            description: module.description.clone(),
            sha256: module.sha256.to_string(),
            size_bytes: module.size_bytes,
            visibility: module.visibility.into(),
            abi: module.inspection.abi.into(),
            owner: match module.owner {
                owner if owner == viewer.user_id => Owner::You,
                User::SAMPLES => Owner::Samples,
                _ => Owner::Other,
            },
            created_at: module.created_at,
            last_executed_at: module.last_executed_at,
        }
    }
}
