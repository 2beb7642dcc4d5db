//! `POST /api/wasm/modules/{module}/run`: bytes in, bytes out.
//!
//! The body reaches the guest as it arrives. The answer begins when the guest has ended or has written more than
//! [`HEAD`] bytes, whichever is first: most answers are whole and say in their headers how the execution ended. A
//! longer one streams, and says it in its trailers (RFC 9110 section 6.5) to clients that take them (`TE: trailers`);
//! for others it breaks off when the guest was stopped, so that a cut output never looks whole.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream::BoxStream};
use http_body_util::combinators::BoxBody;
use hyper::body::Frame;
use poem::{
    Body, IntoResponse, Request, RequestBody, Response,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    web::Data,
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, OpenApi,
    param::{Path, Query},
    registry::{
        MetaHeader, MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
    },
    types::Type,
};
use tokio::sync::{mpsc, oneshot};
use wasmwiz_core::{
    Error, Result,
    execution::{Input, Invocation, RequestedLimits, Status, Verdict},
    platform::{Execution, Running, Target},
};

use super::Counted;
use crate::api::{
    App,
    auth::{self, Caller},
    error::{BODY, GUEST_FAILED, INVALID, NOT_FOUND, Problem, Refused},
    limits::{BodyFault, Incoming, Size},
    openapi::Group,
};

/// Output up to this many bytes is kept until the guest has ended.
const HEAD: usize = 64 << 10;
/// A body up to this many bytes is read before the guest starts: it costs less than passing it on.
const SMALL: u64 = 64 << 10;
/// Chunks on their way in or out.
const CHUNKS: usize = 4;
const MEDIA_TYPE: &str = "application/octet-stream";
const EXECUTION_ID: HeaderName = HeaderName::from_static("x-execution-id");
const EXECUTION_STATUS: HeaderName = HeaderName::from_static("x-execution-status");
const EXIT_CODE: HeaderName = HeaderName::from_static("x-exit-code");

/// A body of any content type, or none.
struct RawInput {
    body: Incoming,
    /// The same body, small enough to be kept in memory.
    small: bool,
    trailers: bool,
}

impl<'a> ApiExtractor<'a> for RawInput {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: Some("Standard input. Any Content-Type will do."),
            content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: binary() }],
            required: false,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let te = request.headers().get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
        let asked = te.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("trailers"));
        let length = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let small = length.is_some_and(|length: u64| length <= SMALL);
        let body = match small {
            true => Incoming::buffered(request, body, Size::Input)?,
            false => Incoming::streamed(request, body, Size::Input)?,
        };
        Ok(Self { small: small || body.declared() == Some(0), body, trailers: asked })
    }
}

/// What the guest wrote, whole or as it comes.
struct RunResponse(Response);

impl IntoResponse for RunResponse {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for RunResponse {
    fn meta() -> MetaResponses {
        let header = |name: &str, description: &str, schema| MetaHeader {
            name: name.into(),
            description: Some(description.into()),
            required: false,
            deprecated: false,
            schema,
        };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Standard output. Up to 64 KiB come whole, with headers that say how the execution ended. More is \
                              streamed: then `X-Execution-Status` is `running`, and the trailers `X-Execution-Status` and \
                              `X-Exit-Code` say it to clients that send `TE: trailers`. For others the answer breaks off if \
                              the guest was stopped; `GET /api/executions/{id}` says why.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: binary() }],
                headers: vec![
                    header("X-Execution-Id", "The execution's id.", uuid::Uuid::schema_ref()),
                    header("X-Execution-Status", "How it ended, or `running`.", String::schema_ref()),
                    header("X-Exit-Code", "The guest's exit code, if it came to one.", i32::schema_ref()),
                ],
            }],
        }
    }

    fn register(_: &mut Registry) {}
}

fn binary() -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary")))
}

/// The endpoint.
pub(in crate::api) struct Run;

#[OpenApi]
impl Run {
    /// Run a module on a stream of bytes
    ///
    /// The request's body is the guest's standard input, the answer's body its standard output, both as they come.
    /// Standard error is not returned; `POST …/execute` does. When the client goes away the execution is cancelled.
    /// Scope: `execute`.
    #[oai(
        path = "/api/wasm/modules/:module/run",
        method = "post",
        operation_id = "runModule",
        tag = "Group::Executions"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a query parameter, described where it stands")]
    async fn run(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<auth::Execute>,
        /// A name, `name@3`, `name@sha256:…` or an id.
        module: Path<String>,
        /// An argument after the program's name; may be there several times.
        arg: Query<Vec<String>>,
        /// An environment variable, `KEY=VALUE`; may be there several times.
        env: Query<Vec<String>>,
        /// Answer only when the guest has ended, and with 502 if it did not succeed.
        #[oai(default)]
        strict: Query<bool>,
        /// Wall-clock time, in milliseconds, below what the policy gives.
        timeout_ms: Query<Option<u64>>,
        /// Linear memories and tables together, in bytes, below what the policy gives.
        memory_bytes: Query<Option<u64>>,
        /// Standard output and error together, in bytes, below what the policy gives.
        output_bytes: Query<Option<u64>>,
        /// Contents of all files together, in bytes, below what the policy gives.
        file_bytes: Query<Option<u64>>,
        input: RawInput,
    ) -> Result<RunResponse, Refused<{ NOT_FOUND | INVALID | BODY | GUEST_FAILED }>> {
        let target = Target::Stored(Box::new(app.find_module(&caller, &module).await?));
        let trailers = input.trailers;
        let (input, feed) = match input.small {
            true => (Input::Bytes(input.body.bytes().await.map_err(Problem::from)?), None),
            false => {
                let (sender, receiver) = mpsc::channel(CHUNKS);
                (Input::Stream(receiver), Some(Feed::start(input.body, sender)))
            }
        };
        let invocation = Invocation {
            input,
            args: arg.0,
            env: env.0.iter().map(|text| variable(text)).collect::<Result<_>>()?,
            limits: RequestedLimits {
                timeout_ms: timeout_ms.0,
                memory_bytes: memory_bytes.0,
                output_bytes: output_bytes.0,
                file_bytes: file_bytes.0,
            },
            ..Invocation::default()
        };
        let (sender, output) = mpsc::channel(CHUNKS);
        let running = app.platform.start(&caller, target, invocation, Some(sender)).await?;
        let guest = Guest { counted: Counted::new(SharedApp(app.clone())), running, output, feed };
        Ok(guest.answer(strict.0, trailers).await?)
    }
}

fn variable(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').ok_or_else(|| Error::invalid("env", "must be KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Passes a body on to a guest, until the guest has ended. Nobody stops it before: to a guest that is being cancelled,
/// because its client went away, the end of its input would look as if it had all of it.
struct Feed {
    fault: oneshot::Receiver<BodyFault>,
}

impl Feed {
    fn start(mut body: Incoming, guest: mpsc::Sender<Bytes>) -> Self {
        let (report, fault) = oneshot::channel();
        tokio::spawn(async move {
            loop {
                let chunk = tokio::select! {
                    biased;
                    () = guest.closed() => return,
                    chunk = body.next() => chunk,
                };
                match chunk {
                    Some(Ok(chunk)) => {
                        if guest.send(chunk).await.is_err() {
                            return;
                        }
                    }
                    Some(Err(fault)) => {
                        let _ = report.send(fault);
                        // Not to end the guest's input here: it must not take what arrived for all there is.
                        return guest.closed().await;
                    }
                    None => return,
                }
            }
        });
        Self { fault }
    }
}

/// Wait for a body to fail; for ever if it arrives whole.
async fn fault(feed: &mut Option<Feed>) -> BodyFault {
    if let Some(running) = feed {
        if let Ok(fault) = (&mut running.fault).await {
            return fault;
        }
        *feed = None;
    }
    std::future::pending().await
}

struct SharedApp(Arc<App>);

impl AsRef<crate::api::metrics::Metrics> for SharedApp {
    fn as_ref(&self) -> &crate::api::metrics::Metrics {
        &self.0.metrics
    }
}

/// A guest that runs. Dropping it cancels the execution.
struct Guest {
    counted: Counted<SharedApp>,
    running: Running,
    output: mpsc::Receiver<Bytes>,
    feed: Option<Feed>,
}

impl Guest {
    /// What it writes next; `None` when it has closed its output.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyFault> {
        tokio::select! {
            biased;
            chunk = self.output.recv() => Ok(chunk),
            fault = fault(&mut self.feed) => Err(fault),
        }
    }

    async fn finish(self) -> Result<Execution, Problem> {
        let Self { counted, running, mut feed, .. } = self;
        // A guest that closed its output may still read.
        let result = tokio::select! {
            biased;
            result = running.finish() => result,
            fault = fault(&mut feed) => return Err(fault.into()),
        };
        Ok(counted.ended(result)?)
    }

    async fn answer(mut self, strict: bool, trailers: bool) -> Result<RunResponse, Problem> {
        let id = self.running.id;
        let (mut chunks, mut length) = (Vec::new(), 0);
        while let Some(chunk) = self.next().await? {
            length += chunk.len();
            chunks.push(chunk);
            if length > HEAD && !strict {
                return Ok(RunResponse(self.stream(chunks, trailers)));
            }
        }
        let execution = self.finish().await?;
        let verdict = &execution.record.verdict;
        let mut headers = verdict_headers(verdict);
        headers.insert(EXECUTION_ID, text(&id.to_string()));
        if strict && verdict.status != Status::Succeeded {
            let problem = Problem::new(StatusCode::BAD_GATEWAY, "guest_failed", failure(verdict));
            return Err(headers.drain().fold(problem, |problem, (name, value)| match name {
                Some(name) => problem.header(name, value),
                None => problem,
            }));
        }
        let mut response = Response::builder().content_type(MEDIA_TYPE).body(join(chunks, length));
        response.headers_mut().extend(headers);
        Ok(RunResponse(response))
    }

    /// Answer with what was written so far, and what will be.
    fn stream(self, written: Vec<Bytes>, trailers: bool) -> Response {
        let mut response = Response::builder()
            .content_type(MEDIA_TYPE)
            .header(EXECUTION_ID, self.running.id.to_string())
            .header(EXECUTION_STATUS, "running");
        if trailers {
            response = response.header(header::TRAILER, "X-Execution-Status, X-Exit-Code");
        }
        let written = futures::stream::iter(written.into_iter().map(|chunk| Ok(Frame::data(chunk))));
        let rest = futures::stream::unfold(Some(self), move |guest| async move {
            let mut guest = guest?;
            match guest.next().await {
                Ok(Some(chunk)) => Some((Ok(Frame::data(chunk)), Some(guest))),
                Ok(None) => Some((guest.last(trailers).await, None)),
                Err(fault) => Some((Err(io::Error::other(fault)), None)),
            }
        });
        let frames = Frames(Mutex::new(written.chain(rest).boxed()));
        response.body(Body::from(BoxBody::new(frames)))
    }

    /// The last frame of a streamed answer.
    async fn last(self, trailers: bool) -> io::Result<Frame<Bytes>> {
        let execution = self.finish().await.map_err(io::Error::other)?;
        let verdict = &execution.record.verdict;
        if !trailers && !matches!(verdict.status, Status::Succeeded | Status::Failed) {
            return Err(io::Error::other(failure(verdict)));
        }
        Ok(Frame::trailers(verdict_headers(verdict)))
    }
}

fn verdict_headers(verdict: &Verdict) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(EXECUTION_STATUS, HeaderValue::from_static(verdict.status.as_str()));
    if let Some(code) = verdict.exit_code {
        headers.insert(EXIT_CODE, code.into());
    }
    headers
}

fn failure(verdict: &Verdict) -> String {
    let mut sentence = format!("the guest did not succeed: {}", verdict.status);
    if let Some(code) = verdict.exit_code {
        sentence.push_str(&format!(", exit code {code}"));
    }
    if let Some(error) = &verdict.error {
        sentence.push_str(&format!(", {}", error.message));
    }
    if let Some(end) = &verdict.termination {
        sentence.push_str(&format!(", {} is {}; {}", end.limit, end.configured, end.how_to_raise));
    }
    sentence
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

fn join(mut chunks: Vec<Bytes>, length: usize) -> Bytes {
    match chunks.len() {
        0 => Bytes::new(),
        1 => chunks.remove(0),
        _ => {
            let mut whole = BytesMut::with_capacity(length);
            chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
            whole.freeze()
        }
    }
}

/// A body of frames. The mutex is never locked: it makes the stream `Sync`, as Poem's bodies must be.
struct Frames(Mutex<BoxStream<'static, io::Result<Frame<Bytes>>>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(cx)
    }
}
