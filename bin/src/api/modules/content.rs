//! `GET /api/wasm/modules/{module}/content`: download a module's bytes.

use std::sync::Arc;

use bytes::Bytes;
use poem::web::Data;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path},
    payload::Binary,
};
use wasmwiz_core::Error;

use crate::api::{
    App,
    auth::{Caller, ReadModules},
    error::{INVALID, NOT_FOUND, Refused},
    openapi::Group,
};

#[derive(ApiResponse)]
enum ContentResponse {
    /// The bytes, always in WebAssembly's binary format.
    #[oai(status = 200, content_type = "application/wasm")]
    Content(
        Binary<Bytes>,
        /// The SHA-256 of the bytes, in quotes.
        #[oai(header = "ETag")]
        String,
        /// A file name made of the module's name and version.
        #[oai(header = "Content-Disposition")]
        String,
    ),
    /// The caller has these bytes.
    #[oai(status = 304)]
    NotModified(
        /// The SHA-256 of the bytes, in quotes.
        #[oai(header = "ETag")]
        String,
    ),
}

/// The endpoint.
pub(in crate::api) struct Content;

#[OpenApi]
impl Content {
    /// Download a module
    ///
    /// What was uploaded as text comes back in the binary format. Scope: `modules:read`.
    #[oai(
        path = "/api/wasm/modules/:module/content",
        method = "get",
        operation_id = "downloadModule",
        tag = "Group::Modules"
    )]
    async fn content(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<ReadModules>,
        /// A name, `name@3`, `name@sha256:…` or an id.
        module: Path<String>,
        /// ETags of what the caller has.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<ContentResponse, Refused<{ NOT_FOUND | INVALID }>> {
        let module = app.find_module(&caller, &module).await?;
        let tag = format!("\"{}\"", module.sha256);
        if if_none_match.0.is_some_and(|tags| has_tag(&tags, &tag)) {
            return Ok(ContentResponse::NotModified(tag));
        }
        let bytes = app.platform.blobs.get(&module.sha256).await?;
        let missing = || Error::internal("download the module", format!("blob {} is missing", module.sha256));
        let file = format!("attachment; filename=\"{}-{}.wasm\"", module.name, module.version);
        Ok(ContentResponse::Content(Binary(bytes.ok_or_else(missing)?), tag, file))
    }
}

/// RFC 9110 section 13.1.2: a list of tags compared weakly, or `*`.
fn has_tag(tags: &str, tag: &str) -> bool {
    tags.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_found_in_a_list() {
        for tags in ["\"a\"", "*", "W/\"a\"", "\"b\", \"a\""] {
            assert!(has_tag(tags, "\"a\""), "{tags}");
        }
        assert!(!has_tag("a, \"b\"", "\"a\""));
    }
}
