//! `GET /api/wasm/modules`: list modules.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;
use wasmwiz_core::{module::Visibility, storage::ModuleFilter};

use super::{ModuleOut, VisibilityName};
use crate::api::{
    App,
    auth::{Caller, ReadModules},
    error::{INVALID, Refused},
    openapi::Group,
    pagination::{PageLimit, Wanted, default_limit},
    payload::Json,
    word::Word,
};

/// A page of modules.
#[derive(Serialize, Object)]
struct ModuleList {
    /// Newest first; each version of a module is an item.
    items: Vec<ModuleOut>,
    /// The cursor of the next page; null: this is the last.
    next_cursor: Option<String>,
}

/// The endpoint.
pub(in crate::api) struct List;

#[OpenApi]
impl List {
    /// List modules
    ///
    /// One's own, unless `visibility=public` asks for everybody's public ones. Scope: `modules:read`.
    #[oai(path = "/api/wasm/modules", method = "get", operation_id = "listModules", tag = "Group::Modules")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<ReadModules>,
        /// Only modules of this name.
        name: Query<Option<String>>,
        /// `public`: everybody's public modules, the samples among them; `private`: one's own private ones; left out: all
        /// of one's own.
        visibility: Query<Option<Word<VisibilityName, Visibility>>>,
        /// At most so many items.
        #[oai(default = "default_limit")]
        limit: Query<PageLimit>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ModuleList>, Refused<INVALID>> {
        let wanted = Wanted::new(limit.0, cursor.0.as_deref())?;
        let filter =
            ModuleFilter { viewer: caller.user_id, name: name.0, visibility: visibility.0.map(|word| word.value) };
        let modules = app.platform.storage.list_modules(&filter, wanted.page()).await?;
        let (modules, next_cursor) = wanted.cut(modules, |module| module.id);
        let items = modules.iter().map(|module| ModuleOut::new(module, &caller)).collect();
        Ok(Json(ModuleList { items, next_cursor }))
    }
}
