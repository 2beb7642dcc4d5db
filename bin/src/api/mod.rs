//! The HTTP API: Poem handlers, described by poem-openapi. An endpoint, its errors and its OpenAPI text are in one file.

mod auth;
mod error;
pub(crate) mod execute;
mod executions;
mod form;
mod health;
mod keys;
mod limits;
mod me;
mod metrics;
mod modules;
mod openapi;
mod pagination;
mod payload;
mod request_id;
mod users;
mod word;

use std::{any::Any, collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::FutureExt;
use poem::{
    Endpoint, EndpointExt, PathPattern, Request, Response, Route,
    endpoint::BoxEndpoint,
    get,
    http::{HeaderValue, Method, StatusCode, header},
};
use poem_openapi::{ApiResponse, OpenApi};
use tokio::sync::Semaphore;
use tracing::Instrument;
use wasmwiz_core::{
    Platform,
    config::ServerConfig,
    module::{BadModuleRef, Module, ModuleRef},
    principal::Principal,
};

pub use self::openapi::openapi_document;
use self::{
    error::Problem, health::Readiness, limits::BodyLimits, metrics::Metrics, openapi::RouteInfo,
    request_id::RequestContext,
};

/// Methods by route, for `Allow`.
type Routes = HashMap<String, Vec<Method>>;

/// What all endpoints share.
#[derive(Debug)]
pub(crate) struct App {
    platform: Platform,
    config: ServerConfig,
    bodies: BodyLimits,
    metrics: Metrics,
    readiness: Readiness,
    routes: Routes,
    in_flight: Semaphore,
}

impl App {
    /// Prepare the API.
    ///
    /// # Errors
    /// When the figures of `/metrics` cannot be set up.
    pub(crate) fn new(config: &ServerConfig, platform: Platform) -> Result<Arc<Self>, prometheus::Error> {
        let mut routes = openapi::routes();
        routes.extend(["/", "/docs", "/openapi.json"].map(|path| RouteInfo::new(path, vec![Method::GET])));
        Ok(Arc::new(Self {
            platform,
            bodies: BodyLimits::new(config),
            metrics: Metrics::new(&routes)?,
            readiness: Readiness::default(),
            routes: routes.into_iter().map(|route| (route.pattern, route.methods)).collect(),
            in_flight: Semaphore::new(config.max_connections),
            config: config.clone(),
        }))
    }

    /// Find the module that a caller means by `reference`.
    ///
    /// # Errors
    /// When it is no reference, or nothing that the caller may see.
    async fn find_module(&self, caller: &Principal, reference: &str) -> wasmwiz_core::Result<Module> {
        let reference: ModuleRef = reference
            .parse()
            .map_err(|error: BadModuleRef| wasmwiz_core::Error::invalid("module", error.to_string()))?;
        self.platform.find_module(caller, &reference).await
    }

    /// The one that serves `request`.
    fn of(request: &Request) -> Result<&Arc<Self>, Problem> {
        request.data::<Arc<Self>>().ok_or_else(|| Problem::internal("a route is served without its App".into()))
    }
}

/// All routes, and what happens around each request.
pub(crate) fn endpoint(app: Arc<App>) -> BoxEndpoint<'static, Response> {
    let service = openapi::service();
    let document = openapi::compact(&service.spec());
    let docs = docs_page(&service.swagger_ui_html());
    let fixed = |text: String, content_type: &'static str| {
        let text = bytes::Bytes::from(text);
        poem::endpoint::make_sync(move |_| Response::builder().content_type(content_type).body(text.clone()))
    };
    let routes = Route::new()
        .at("/docs", get(fixed(docs, "text/html; charset=utf-8")))
        .at("/openapi.json", get(fixed(document, "application/json")))
        .nest("/", service)
        .data(app.clone());
    let routes = Arc::new(routes);
    poem::endpoint::make(move |request| {
        let (app, routes) = (app.clone(), routes.clone());
        async move { Ok::<_, poem::Error>(serve(&app, &*routes, request).await) }
    })
    .boxed()
}

/// The page of poem-openapi holds all it needs; it lacks a viewport and its title.
fn docs_page(html: &str) -> String {
    html.replacen(
        "<title>Swagger UI</title>",
        "<title>WasmWiz API</title><meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">",
        1,
    )
}

#[derive(ApiResponse)]
enum HomeResponse {
    /// Look there.
    #[oai(status = 303)]
    Elsewhere(#[oai(header = "Location")] String),
}

/// `GET /`: leads people to the documentation.
struct Home;

#[OpenApi]
impl Home {
    #[oai(path = "/", method = "get", operation_id = "home", hidden)]
    async fn home(&self) -> HomeResponse {
        HomeResponse::Elsewhere("/docs".into())
    }
}

/// What happens around each request: its id, its span, its figures; errors and panics become problems.
async fn serve(app: &App, routes: &impl Endpoint<Output = Response>, mut request: Request) -> Response {
    let started = Instant::now();
    let context = RequestContext::new(&request, &app.platform.system);
    let method = request.method().clone();
    let span = tracing::info_span!("request", id = context.id, %method, path = request.uri().path());
    request.set_data(context.clone());
    limits::drain_when_refused(&mut request);
    let mut response = answer(app, routes, request, &context).instrument(span.clone()).await;
    context.stamp(&mut response);
    let route = response.data::<PathPattern>().map(|pattern| pattern.0.clone());
    let took = started.elapsed();
    app.metrics.answered(route.as_deref(), &method, response.status(), took);
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), ms = took.as_secs_f64() * 1e3, "answered"));
    response
}

async fn answer(
    app: &App,
    routes: &impl Endpoint<Output = Response>,
    request: Request,
    context: &RequestContext,
) -> Response {
    let problem = match app.in_flight.try_acquire() {
        Err(_) => wasmwiz_core::Error::Overloaded {
            what: "the server answers as many requests as it may".into(),
            retry_after: std::time::Duration::from_secs(1),
        }
        .into(),
        Ok(_permit) => match AssertUnwindSafe(routes.call(request)).catch_unwind().await {
            Ok(Ok(response)) => return response,
            Ok(Err(error)) => return refuse(app, error, context),
            Err(panic) => Problem::internal(format!("panicked: {}", panic_text(&*panic))),
        },
    };
    log(&problem);
    problem.render(&context.id)
}

/// Write an error of a handler or of the framework as a problem.
fn refuse(app: &App, error: poem::Error, context: &RequestContext) -> Response {
    let route = error.data::<PathPattern>().cloned();
    let problem = Problem::from(error);
    log(&problem);
    let mut response = problem.render(&context.id);
    if let Some(route) = route {
        let methods = app.routes.get(&*route.0).filter(|_| problem.status == StatusCode::METHOD_NOT_ALLOWED);
        if let Some(methods) = methods {
            let methods = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
            if let Ok(allow) = HeaderValue::from_str(&methods) {
                response.headers_mut().insert(header::ALLOW, allow);
            }
        }
        response.set_data(route);
    }
    response
}

/// Say in the log what the answer keeps to itself.
fn log(problem: &Problem) {
    if let Some(cause) = &problem.cause {
        tracing::error!(status = problem.status.as_u16(), code = problem.code, cause, "a request failed");
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Read an id from a path.
fn parse_id(location: &str, text: &str) -> Result<uuid::Uuid, wasmwiz_core::Error> {
    uuid::Uuid::try_parse(text)
        .map_err(|_| wasmwiz_core::Error::invalid(location, "must be an id (a UUID such as those in lists)"))
}
