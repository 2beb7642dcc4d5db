//! `POST /api/wasm/execute`, `POST /api/wasm/modules/{module}/execute` and `/run`: run a module.

mod json;
mod multipart;
mod number;
pub(crate) mod response;
mod run;

use std::sync::Arc;

use poem::{Request, RequestBody, web::Data};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, OpenApi,
    param::Path,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use wasmwiz_core::{
    Error, Result,
    execution::{Invocation, Status},
    platform::{Execution, Target},
    principal::Principal,
};

use self::{
    json::{ExecuteRequest, InvocationRequest},
    multipart::ExecuteFields,
    response::ExecutionResponse,
};
pub(super) use self::{
    response::{ExecutedModuleOut, FailureOut, LimitsOut, StatusName, TerminationOut, UsageOut},
    run::Run,
};
use super::{
    App, auth,
    auth::Caller,
    error::{BODY, INVALID, NOT_FOUND, Problem, Refused},
    form,
    metrics::Metrics,
    openapi::Group,
    payload::{Json, is_json, read_json},
};

/// Which module is to run.
#[derive(Debug)]
enum Chosen {
    /// A stored one.
    Stored(String),
    /// One that came with the request.
    Inline(bytes::Bytes),
}

/// What is to run and how, from a form or from JSON.
struct Asked {
    module: Chosen,
    invocation: Invocation,
}

impl<'a> ApiExtractor<'a> for Asked {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        ExecuteRequest::register(registry);
        <ExecuteFields as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![
            MetaMediaType { content_type: Json::<ExecuteRequest>::CONTENT_TYPE, schema: ExecuteRequest::schema_ref() },
            MetaMediaType {
                content_type: ExecuteFields::CONTENT_TYPE,
                schema: <ExecuteFields as Payload>::schema_ref(),
            },
        ];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        match request.content_type() {
            Some(found) if is_json(found) => {
                let (module, asked) = read_json::<ExecuteRequest>(request, body).await?.split();
                let invocation = asked.check().map_err(Problem::from)?;
                Ok(Self { module: Chosen::Stored(module), invocation })
            }
            Some(found) if form::is_form(found) => Ok(multipart::read(request, body).await?),
            other => Err(Problem::media_type(other, "application/json or multipart/form-data").into()),
        }
    }
}

/// The endpoint.
pub(super) struct Execute;

#[OpenApi]
impl Execute {
    /// Run a module
    ///
    /// In JSON a stored module is named; a form may bring the module along, which is then not stored. Answers when the
    /// execution has ended, 200 also when it ended badly: `status` says how. Scope: `execute`.
    #[oai(path = "/api/wasm/execute", method = "post", operation_id = "execute", tag = "Group::Executions")]
    async fn execute(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<auth::Execute>,
        asked: Asked,
    ) -> Result<Json<ExecutionResponse>, Refused<{ NOT_FOUND | INVALID | BODY }>> {
        let target = match asked.module {
            Chosen::Stored(reference) => Target::Stored(Box::new(app.find_module(&caller, &reference).await?)),
            Chosen::Inline(bytes) => Target::Inline(Box::new(app.platform.executor.inspect(bytes).await?)),
        };
        Ok(to_the_end(&app, &caller, target, asked.invocation).await?)
    }
}

/// The endpoint.
pub(super) struct ExecuteModule;

#[OpenApi]
impl ExecuteModule {
    /// Run the module of this path
    ///
    /// As `POST /api/wasm/execute`; without a body the module gets no input. Scope: `execute`.
    #[oai(
        path = "/api/wasm/modules/:module/execute",
        method = "post",
        operation_id = "executeModule",
        tag = "Group::Executions"
    )]
    async fn execute(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<auth::Execute>,
        /// A name, `name@3`, `name@sha256:…` or an id.
        module: Path<String>,
        body: Json<InvocationRequest>,
    ) -> Result<Json<ExecutionResponse>, Refused<{ NOT_FOUND | INVALID | BODY }>> {
        let invocation = body.0.check()?;
        let target = Target::Stored(Box::new(app.find_module(&caller, &module).await?));
        Ok(to_the_end(&app, &caller, target, invocation).await?)
    }
}

async fn to_the_end(
    app: &App,
    caller: &Principal,
    target: Target,
    invocation: Invocation,
) -> Result<Json<ExecutionResponse>, Error> {
    let running = app.platform.start(caller, target, invocation, None).await?;
    let counted = Counted::new(app);
    let execution = running.finish().await;
    let execution = counted.ended(execution)?;
    Ok(Json(ExecutionResponse::from(&execution)))
}

/// Counts an execution when it ends; one that is dropped before was cancelled.
struct Counted<A: AsRef<Metrics>>(Option<A>);

impl<A: AsRef<Metrics>> Counted<A> {
    fn new(metrics: A) -> Self {
        Self(Some(metrics))
    }

    fn ended(mut self, result: Result<Execution>) -> Result<Execution> {
        if let (Some(metrics), Ok(execution)) = (&self.0, &result) {
            metrics.as_ref().executed(execution.record.verdict.status, execution.record.usage.wall_us);
        }
        // What did not run, because there was no room, is no execution.
        self.0 = None;
        result
    }
}

impl<A: AsRef<Metrics>> Drop for Counted<A> {
    fn drop(&mut self) {
        if let Some(metrics) = &self.0 {
            metrics.as_ref().executed(Status::Cancelled, 0);
        }
    }
}

impl AsRef<Metrics> for App {
    fn as_ref(&self) -> &Metrics {
        &self.metrics
    }
}
