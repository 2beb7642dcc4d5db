//! `POST /api/wasm/upload`: store a module.

use std::sync::Arc;

use bytes::Bytes;
use poem::{Request, RequestBody, web::Data};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, Multipart, OpenApi,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Binary,
};
use wasmwiz_core::{Error, error::FieldError, module::Visibility, platform};

use super::ModuleOut;
use crate::api::{
    App,
    auth::{Caller, WriteModules},
    error::{BODY, INVALID, Problem, Refused},
    form::{Form, once},
    limits::Size,
    openapi::Group,
    payload::Json,
};

/// The form, for the OpenAPI document.
#[derive(Multipart)]
#[expect(dead_code, reason = "describes the form; `UploadForm` reads it")]
struct UploadFields {
    /// The module: WebAssembly's binary format, or its text format (WAT).
    wasm: Binary<Vec<u8>>,
    /// Its name: 1 to 64 letters, digits, `.`, `_` or `-`. Other bytes under a name that is there make its next version.
    name: String,
    /// What it does, at most 2000 bytes.
    description: Option<String>,
    /// Who may run and see it: `private` (the default) or `public`.
    visibility: Option<String>,
}

/// A module on its way in.
struct UploadForm(platform::Upload);

const FIELDS: &str = "wasm, name, description, visibility";

impl UploadForm {
    async fn read(request: &Request, body: &mut RequestBody) -> Result<Self, Problem> {
        let limit = App::of(request)?.config.max_module_bytes;
        let (mut wasm, mut name, mut description, mut visibility) = (None, None, None, None);
        let mut form = Form::open(request, body, Size::Upload)?;
        while let Some(part) = form.next().await? {
            match part.name() {
                "wasm" => once(&mut wasm, "wasm", part.bytes(limit).await?)?,
                "name" => once(&mut name, "name", part.text().await?)?,
                "description" => once(&mut description, "description", part.text().await?)?,
                "visibility" => once(&mut visibility, "visibility", part.text().await?)?,
                _ => return Err(part.unknown(FIELDS)),
            }
        }
        Ok(Self(check(wasm, name, description, visibility)?))
    }
}

fn check(
    wasm: Option<Bytes>,
    name: Option<String>,
    description: Option<String>,
    visibility: Option<String>,
) -> Result<platform::Upload, Error> {
    let mut errors = Vec::new();
    match &wasm {
        None => errors.push(FieldError::new("wasm", "is missing; send the module as a file")),
        Some(bytes) if bytes.is_empty() => errors.push(FieldError::new("wasm", "is empty")),
        Some(_) => {}
    }
    if name.is_none() {
        errors.push(FieldError::new("name", "is missing"));
    }
    // Browsers send the empty string for a field that was left alone.
    let visibility = visibility.filter(|text| !text.is_empty()).map_or(Ok(Visibility::default()), |text| text.parse());
    match (wasm, name, visibility) {
        (Some(bytes), Some(name), Ok(visibility)) if errors.is_empty() => {
            return Ok(platform::Upload { name, description: description.unwrap_or_default(), visibility, bytes });
        }
        (.., Err(error)) => errors.push(FieldError::new("visibility", error.to_string())),
        _ => {}
    }
    Err(Error::Invalid(errors))
}

impl<'a> ApiExtractor<'a> for UploadForm {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <UploadFields as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let schema = <UploadFields as Payload>::schema_ref();
        let content = vec![MetaMediaType { content_type: UploadFields::CONTENT_TYPE, schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self::read(request, body).await?)
    }
}

#[derive(ApiResponse)]
enum UploadResponse {
    /// Stored: a new name, or the next version of one.
    #[oai(status = 201)]
    Created(Json<ModuleOut>, #[oai(header = "Location")] String),
    /// These bytes are there under this name already; this is that version.
    #[oai(status = 200)]
    There(Json<ModuleOut>, #[oai(header = "Location")] String),
}

/// The endpoint.
pub(in crate::api) struct Upload;

#[OpenApi]
impl Upload {
    /// Upload a module
    ///
    /// The module is checked: what is wrong with it is answered with the byte at which it is wrong. The same bytes
    /// under the same name are stored once. Scope: `modules:write`.
    #[oai(path = "/api/wasm/upload", method = "post", operation_id = "uploadModule", tag = "Group::Modules")]
    async fn upload(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<WriteModules>,
        form: UploadForm,
    ) -> Result<UploadResponse, Refused<{ INVALID | BODY }>> {
        let inserted = app.platform.upload(caller.user_id, form.0).await?;
        let location = format!("/api/wasm/modules/{}", inserted.module.id);
        let module = Json(ModuleOut::new(&inserted.module, &caller));
        Ok(match inserted.created {
            true => UploadResponse::Created(module, location),
            false => UploadResponse::There(module, location),
        })
    }
}
