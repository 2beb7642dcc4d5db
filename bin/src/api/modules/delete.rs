//! `DELETE /api/wasm/modules/{module}`: delete a version of a module.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi, param::Path};
use wasmwiz_core::Error;

use crate::api::{
    App,
    auth::{Caller, WriteModules},
    error::{INVALID, NOT_FOUND, Refused},
    openapi::Group,
    parse_id,
};

#[derive(ApiResponse)]
enum DeletedResponse {
    /// Deleted. The version's number is not used again.
    #[oai(status = 204)]
    Deleted,
}

/// The endpoint.
pub(in crate::api) struct Delete;

#[OpenApi]
impl Delete {
    /// Delete a module
    ///
    /// One version, by its id; only one's own. What runs of it runs on. Scope: `modules:write`.
    #[oai(path = "/api/wasm/modules/:module", method = "delete", operation_id = "deleteModule", tag = "Group::Modules")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<WriteModules>,
        /// The version's id. A name will not do, because it could mean another version tomorrow.
        module: Path<String>,
    ) -> Result<DeletedResponse, Refused<{ NOT_FOUND | INVALID }>> {
        let id = parse_id("module", &module)?;
        let now = app.platform.system.clock.now();
        match app.platform.storage.delete_module(caller.user_id, id, now).await? {
            true => Ok(DeletedResponse::Deleted),
            false => Err(Error::NotFound(format!("module `{id}`")).into()),
        }
    }
}
