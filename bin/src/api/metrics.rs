//! Figures in Prometheus' text format.
//!
//! Every label has a bounded set of values: routes are templates, methods and statuses are those this server knows.
//! What is counted for each request is found once, at the start.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use poem::{
    http::{Method, StatusCode},
    web::Data,
};
use poem_openapi::{ApiResponse, OpenApi, payload::PlainText};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use wasmwiz_core::{execution::Status, executor::ExecutorStats};

use super::{
    App,
    error::Problem,
    openapi::{Group, RouteInfo},
};

/// The route of requests that no route takes.
const UNMATCHED: &str = "unmatched";
/// Statuses that are counted under their own label; further ones under `other`.
const STATUSES: [u16; 22] =
    [200, 201, 204, 303, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 500, 502, 503, 504, 505];
const EXECUTIONS: [Status; 9] = [
    Status::Succeeded,
    Status::Failed,
    Status::Trapped,
    Status::TimedOut,
    Status::MemoryExceeded,
    Status::OutputExceeded,
    Status::Cancelled,
    Status::Rejected,
    Status::InternalError,
];
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What is counted of one route and method.
#[derive(Debug)]
struct RouteMetrics {
    duration: Histogram,
    labels: [String; 2],
    by_status: [OnceLock<IntCounter>; STATUSES.len() + 1],
}

/// The executor's figures, read when somebody asks.
#[derive(Debug)]
struct ExecutorGauges {
    workers: IntGauge,
    busy: IntGauge,
    queued: IntGauge,
    queue_capacity: IntGauge,
    compilations: IntGauge,
    cached_bytes: IntGauge,
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    routes: HashMap<String, HashMap<Method, RouteMetrics>>,
    unmatched: RouteMetrics,
    executions: [IntCounter; EXECUTIONS.len()],
    execution_seconds: Histogram,
    executor: ExecutorGauges,
    /// Requests refused by the rate limiter.
    pub(crate) rate_limited: IntCounter,
    in_flight: IntGauge,
}

impl Metrics {
    /// Prepare to count, for these routes and their methods.
    ///
    /// # Errors
    /// When two figures have one name.
    pub(crate) fn new(routes: &[RouteInfo]) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = Opts::new("wasmwiz_http_requests_total", "Requests answered.");
        let requests = IntCounterVec::new(requests, &["route", "method", "status"])?;
        let durations = HistogramOpts::new("wasmwiz_http_request_duration_seconds", "Time until the answer's head.");
        let durations = HistogramVec::new(durations.buckets(SECONDS.to_vec()), &["route", "method"])?;
        let executions = Opts::new("wasmwiz_executions_total", "Executions, by how they ended.");
        let executions = IntCounterVec::new(executions, &["status"])?;
        let seconds = HistogramOpts::new("wasmwiz_execution_duration_seconds", "Wall-clock time of executions.");
        let execution_seconds = Histogram::with_opts(seconds.buckets(SECONDS.to_vec()))?;
        let rate_limited = IntCounter::new("wasmwiz_rate_limited_total", "Requests refused by the rate limiter.")?;
        let in_flight = IntGauge::new("wasmwiz_http_requests_in_flight", "Requests that are being answered.")?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(executions.clone()))?;
        registry.register(Box::new(execution_seconds.clone()))?;
        registry.register(Box::new(rate_limited.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        let executor = ExecutorGauges::new(&registry)?;

        let of = |route: &str, method: &str| RouteMetrics {
            duration: durations.with_label_values(&[route, method]),
            labels: [route.to_owned(), method.to_owned()],
            by_status: std::array::from_fn(|_| OnceLock::new()),
        };
        let by_method = |route: &RouteInfo| {
            // Where there is GET, HEAD is answered too.
            let head = route.methods.contains(&Method::GET).then_some(Method::HEAD);
            let methods = route.methods.iter().cloned().chain(head);
            let methods = methods.map(|method| (method.clone(), of(&route.path, method.as_str())));
            (route.pattern.clone(), methods.collect())
        };
        Ok(Self {
            routes: routes.iter().map(by_method).collect(),
            unmatched: of(UNMATCHED, "other"),
            executions: EXECUTIONS.map(|status| executions.with_label_values(&[status.as_str()])),
            registry,
            requests,
            execution_seconds,
            executor,
            rate_limited,
            in_flight,
        })
    }

    /// Count an answer.
    pub(crate) fn answered(&self, route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        let known = route.and_then(|route| self.routes.get(route)).and_then(|methods| methods.get(method));
        let route = known.unwrap_or(&self.unmatched);
        route.duration.observe(took.as_secs_f64());
        let place = STATUSES.iter().position(|known| *known == status.as_u16());
        let counter = route.by_status[place.unwrap_or(STATUSES.len())].get_or_init(|| {
            let status = place.map_or_else(|| "other".to_owned(), |place| STATUSES[place].to_string());
            self.requests.with_label_values(&[&route.labels[0], &route.labels[1], &status])
        });
        counter.inc();
    }

    /// Count an execution that has ended.
    pub(crate) fn executed(&self, status: Status, wall_us: u64) {
        if let Some(place) = EXECUTIONS.iter().position(|known| *known == status) {
            self.executions[place].inc();
        }
        self.execution_seconds.observe(Duration::from_micros(wall_us).as_secs_f64());
    }

    /// Write all figures.
    ///
    /// # Errors
    /// When a figure has no legal form.
    pub(crate) fn render(&self, stats: ExecutorStats, in_flight: usize) -> Result<String, prometheus::Error> {
        self.executor.set(stats);
        self.in_flight.set(signed(in_flight));
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl ExecutorGauges {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("wasmwiz_executor_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            workers: gauge("workers", "Threads that run guests.")?,
            busy: gauge("busy", "Threads that run a guest now.")?,
            queued: gauge("queued", "Executions that wait for a thread.")?,
            queue_capacity: gauge("queue_capacity", "Most executions that may wait.")?,
            compilations: gauge("compilations", "Modules compiled since the start.")?,
            cached_bytes: gauge("cached_bytes", "Bytes of compiled modules in memory.")?,
        })
    }

    fn set(&self, stats: ExecutorStats) {
        self.workers.set(signed(stats.workers));
        self.busy.set(signed(stats.busy));
        self.queued.set(signed(stats.queued));
        self.queue_capacity.set(signed(stats.queue_capacity));
        self.compilations.set(i64::try_from(stats.compilations).unwrap_or(i64::MAX));
        self.cached_bytes.set(i64::try_from(stats.cached_bytes).unwrap_or(i64::MAX));
    }
}

fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[derive(ApiResponse)]
enum FiguresResponse {
    /// All figures.
    #[oai(status = 200, content_type = "text/plain; version=0.0.4; charset=utf-8")]
    Figures(PlainText<String>),
}

/// The endpoint.
pub(crate) struct Figures;

#[OpenApi]
impl Figures {
    /// Give figures for Prometheus
    ///
    /// Requests by route, method and status, their duration, executions by how they ended, the executor's load. Asks for
    /// no credential: keep this path internal, as a reverse proxy can.
    #[oai(path = "/metrics", method = "get", operation_id = "metrics", tag = "Group::Operations")]
    async fn figures(&self, app: Data<&Arc<App>>) -> poem::Result<FiguresResponse> {
        let in_flight = app.config.max_connections.saturating_sub(app.in_flight.available_permits());
        let text = app.metrics.render(app.platform.executor.stats(), in_flight);
        let text = text.map_err(|error| Problem::internal(format!("the figures cannot be written: {error}")))?;
        Ok(FiguresResponse::Figures(PlainText(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_from_a_bounded_set() {
        let metrics = Metrics::new(&[RouteInfo::new("/a/{id}", vec![Method::GET])]).unwrap();
        let took = Duration::from_millis(1);
        metrics.answered(Some("/a/:param0"), &Method::GET, StatusCode::OK, took);
        metrics.answered(Some("/a/:param0"), &Method::HEAD, StatusCode::OK, took);
        metrics.answered(Some("/a/:param0"), &Method::PUT, StatusCode::METHOD_NOT_ALLOWED, took);
        metrics.answered(None, &Method::from_bytes(b"BREW").unwrap(), StatusCode::IM_A_TEAPOT, took);
        metrics.executed(Status::TimedOut, 5_000_000);
        let text = metrics.render(ExecutorStats::default(), 3).unwrap();
        for line in [
            r#"wasmwiz_http_requests_total{method="GET",route="/a/{id}",status="200"} 1"#,
            r#"wasmwiz_http_requests_total{method="HEAD",route="/a/{id}",status="200"} 1"#,
            r#"wasmwiz_http_requests_total{method="other",route="unmatched",status="405"} 1"#,
            r#"wasmwiz_http_requests_total{method="other",route="unmatched",status="other"} 1"#,
            r#"wasmwiz_executions_total{status="timed_out"} 1"#,
            "wasmwiz_executor_queue_capacity 0",
            "wasmwiz_http_requests_in_flight 3",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("BREW"));
    }
}
