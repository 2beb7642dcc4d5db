//! `GET /health`, `/health/live`, `/health/ready`: for load balancers and orchestrators.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use poem::{http::StatusCode, web::Data};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use tokio::sync::Mutex;
use wasmwiz_core::{
    Platform, Result,
    error::{BoxError, Error, FieldError, chain},
};

use super::{App, error::Problem, openapi::Group, payload::Json};

/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer holds: many probes ask the parts once.
const HOLDS: Duration = Duration::from_secs(1);

/// That the server runs.
#[derive(Serialize, Object)]
#[oai(rename = "Health")]
pub(crate) struct HealthOut {
    /// Always `ok`.
    status: String,
    /// The server's version.
    version: String,
}

/// That the server can serve.
#[derive(Serialize, Object)]
#[oai(rename = "Ready")]
pub(crate) struct ReadyOut {
    /// Always `ready`.
    status: String,
    /// What was checked: storage, schema, blobs, rate_limit, executor.
    checks: Vec<String>,
}

/// What `/health/ready` answers.
#[derive(ApiResponse)]
enum ReadyResponse {
    /// Every part answers.
    #[oai(status = 200)]
    Ready(Json<ReadyOut>),
}

/// That a part does not answer.
#[derive(Debug)]
struct NotReady(Problem);

impl ApiResponse for NotReady {
    fn meta() -> poem_openapi::registry::MetaResponses {
        let mut meta = super::error::Refused::<0>::meta();
        meta.responses.retain(|response| response.status == Some(503));
        meta
    }
    fn register(registry: &mut poem_openapi::registry::Registry) {
        super::error::Refused::<0>::register(registry);
    }
}

impl From<NotReady> for poem::Error {
    fn from(not_ready: NotReady) -> Self {
        not_ready.0.into()
    }
}

/// The endpoints.
pub(crate) struct Health;

#[OpenApi]
impl Health {
    /// Say that the server runs
    #[oai(path = "/health", method = "get", operation_id = "health", tag = "Group::Operations")]
    async fn health(&self) -> Json<HealthOut> {
        Json(HealthOut { status: "ok".into(), version: env!("CARGO_PKG_VERSION").into() })
    }

    /// Say that the process is alive
    ///
    /// Asks nothing of any other part: a server whose database is away is alive, and restarting it would not help.
    #[oai(path = "/health/live", method = "get", operation_id = "live", tag = "Group::Operations")]
    async fn live(&self) -> Json<HealthOut> {
        self.health().await
    }

    /// Say whether requests can be served
    ///
    /// Asks the storage, whether its schema is up to date, the blob store, the rate limiter and the executor; 503 with
    /// those that do not answer within 2 s. An answer holds for a second.
    #[oai(path = "/health/ready", method = "get", operation_id = "ready", tag = "Group::Operations")]
    async fn ready(&self, app: Data<&Arc<App>>) -> Result<ReadyResponse, NotReady> {
        let checks = app.readiness.ask(&app.platform).await;
        let failed: Vec<FieldError> = checks
            .iter()
            .filter(|check| !check.ready)
            .map(|check| FieldError::new(check.name, "is not ready; the server's log says why"))
            .collect();
        if failed.is_empty() {
            let checks = checks.iter().map(|check| check.name.to_owned()).collect();
            return Ok(ReadyResponse::Ready(Json(ReadyOut { status: "ready".into(), checks })));
        }
        let names = failed.iter().map(|error| error.location.as_str()).collect::<Vec<_>>().join(", ");
        let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", format!("not ready: {names}"));
        problem.errors = failed;
        Err(NotReady(problem.retry_after(HOLDS)))
    }
}

#[derive(Clone, Copy, Debug)]
struct Check {
    name: &'static str,
    ready: bool,
}

/// The last answer of the parts.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Duration, Vec<Check>)>>);

impl Readiness {
    /// Ask the parts, unless they were asked just now.
    async fn ask(&self, platform: &Platform) -> Vec<Check> {
        let mut last = self.0.lock().await;
        let now = platform.system.clock.monotonic();
        if let Some((at, checks)) = &*last
            && now.saturating_sub(*at) < HOLDS
        {
            return checks.clone();
        }
        let schema = async {
            match platform.storage.schema().await?.pending {
                0 => Ok(()),
                pending => {
                    Err(Error::unavailable("the schema", BoxError::from(format!("{pending} migrations are pending"))))
                }
            }
        };
        let parts: [(&'static str, BoxFuture<'_, Result<()>>); 5] = [
            ("storage", platform.storage.ping()),
            ("schema", schema.boxed()),
            ("blobs", platform.blobs.ping()),
            ("rate_limit", platform.rate_limit.ping()),
            ("executor", platform.executor.ping()),
        ];
        let checks = futures::future::join_all(parts.map(|(name, part)| check(name, part))).await;
        *last = Some((now, checks.clone()));
        checks
    }
}

async fn check(name: &'static str, part: BoxFuture<'_, Result<()>>) -> Check {
    let ready = match tokio::time::timeout(PATIENCE, part).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(part = name, error = chain(&error), "a part is not ready");
            false
        }
        Err(_) => {
            tracing::warn!(part = name, "a part did not answer in time");
            false
        }
    };
    Check { name, ready }
}
