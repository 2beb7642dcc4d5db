//! `GET /api/wasm/modules/{module}`: look at a module.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path};
use serde::Serialize;
use uuid::Uuid;
use wasmwiz_core::{
    module::{Module, Visibility},
    principal::Principal,
    storage::{ModuleFilter, Page},
};

use super::{AbiName, ModuleOut, Owner, VisibilityName};
use crate::api::{
    App,
    auth::{Caller, ReadModules},
    error::{INVALID, NOT_FOUND, Refused},
    openapi::Group,
    payload::Json,
};

/// The most versions that are listed with a module.
const MAX_VERSIONS: u32 = 100;

/// Something a module imports.
#[derive(Serialize, Object)]
#[oai(rename = "Import")]
struct ImportOut {
    /// The module it is imported from.
    module: String,
    /// Its name there.
    name: String,
    /// What it is, as WAT would write it: `(func (param i32) (result i32))`, `(memory 1)`.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    ty: String,
}

/// Something a module exports.
#[derive(Serialize, Object)]
#[oai(rename = "Export")]
struct ExportOut {
    /// Its name.
    name: String,
    /// What it is, as WAT would write it.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    ty: String,
}

/// A version of a module, in short.
#[derive(Serialize, Object)]
#[oai(rename = "Version")]
struct VersionOut {
    /// Its id.
    id: Uuid,
    /// Its number.
    version: u32,
    /// The SHA-256 of its bytes, in hexadecimal.
    sha256: String,
    /// The number of its bytes.
    size_bytes: u64,
    /// When it was uploaded.
    created_at: DateTime<Utc>,
}

/// A version of a stored module, with what was found in it.
#[derive(Serialize, Object)]
struct ModuleDetails {
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
    /// Bytes that its linear memories have at the start, together.
    memory_min_bytes: u64,
    /// What it needs from its host.
    imports: Vec<ImportOut>,
    /// What it offers. Functions among these can be called as `entrypoint`.
    exports: Vec<ExportOut>,
    /// The versions of this name that the caller may see, newest first, at most 100.
    versions: Vec<VersionOut>,
}

/// The endpoint.
pub(in crate::api) struct Get;

#[OpenApi]
impl Get {
    /// Look at a module
    ///
    /// With its imports, exports and versions. Scope: `modules:read`.
    #[oai(path = "/api/wasm/modules/:module", method = "get", operation_id = "getModule", tag = "Group::Modules")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<ReadModules>,
        /// A name, `name@3`, `name@sha256:…` or an id.
        module: Path<String>,
    ) -> Result<Json<ModuleDetails>, Refused<{ NOT_FOUND | INVALID }>> {
        let module = app.find_module(&caller, &module).await?;
        let filter = ModuleFilter {
            viewer: caller.user_id,
            name: Some(module.name.clone()),
            visibility: (module.owner != caller.user_id).then_some(Visibility::Public),
        };
        let page = Page { limit: MAX_VERSIONS, before: None };
        let mut versions = app.platform.storage.list_modules(&filter, page).await?;
        // Public modules of this name can be several owners'.
        versions.retain(|version| version.owner == module.owner);
        Ok(Json(ModuleDetails::new(module, versions, &caller)))
    }
}

impl ModuleDetails {
    fn new(module: Module, versions: Vec<Module>, viewer: &Principal) -> Self {
        let short = ModuleOut::new(&module, viewer);
        let found = module.inspection;
        let import = |i: wasmwiz_core::module::Import| ImportOut { module: i.module, name: i.name, ty: i.ty };
        let version = |version: Module| VersionOut {
            id: version.id,
            version: version.version,
            sha256: version.sha256.to_string(),
            size_bytes: version.size_bytes,
            created_at: version.created_at,
        };
        Self {
            id: short.id,
            name: short.name,
            version: short.version,
            description: short.description,
            sha256: short.sha256,
            size_bytes: short.size_bytes,
            visibility: short.visibility,
            abi: short.abi,
            owner: short.owner,
            created_at: short.created_at,
            last_executed_at: short.last_executed_at,
            memory_min_bytes: found.memory_min_bytes,
            imports: found.imports.into_iter().map(import).collect(),
            exports: found.exports.into_iter().map(|e| ExportOut { name: e.name, ty: e.ty }).collect(),
            versions: versions.into_iter().map(version).collect(),
        }
    }
}
