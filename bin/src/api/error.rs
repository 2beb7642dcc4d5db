//! Errors as HTTP says them: RFC 9457 problems. This is the one place that chooses status codes for them.

use std::fmt;

use poem::{
    IntoResponse, Response,
    error::{MethodNotAllowedError, NotFoundError, ResponseError},
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    error::{ContentTypeError, ParseParamError, ParsePathError},
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;
use wasmwiz_core::error::{Error, FieldError, chain};

/// Why a request was not served, ready to be sent.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The status.
    pub(crate) status: StatusCode,
    /// The stable word.
    pub(crate) code: &'static str,
    /// What happened, in a sentence.
    pub(crate) detail: String,
    /// What is wrong with what was sent.
    pub(crate) errors: Vec<FieldError>,
    /// What only the log may say.
    pub(crate) cause: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// Make a problem.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), cause: None, headers: Vec::new() }
    }

    /// Say that what was sent cannot be read.
    pub(crate) fn malformed(code: &'static str, location: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::new(StatusCode::BAD_REQUEST, code, message.clone());
        problem.errors.push(FieldError::new(location, message));
        problem
    }

    /// Say that the content type is not one that is read here.
    pub(crate) fn media_type(found: Option<&str>, wanted: &str) -> Self {
        let detail = match found {
            Some(found) => format!("`{}` is not read here; send {wanted}", found.chars().take(100).collect::<String>()),
            None => format!("the request has no Content-Type; send {wanted}"),
        };
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// Say that something broke that the caller cannot mend; `cause` goes to the log alone.
    pub(crate) fn internal(cause: String) -> Self {
        let detail = "the server failed; its log has the cause under this request_id";
        let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail);
        problem.cause = Some(cause);
        problem
    }

    /// Add a header.
    pub(crate) fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }

    /// Say after how many seconds to try again.
    pub(crate) fn retry_after(self, wait: std::time::Duration) -> Self {
        self.header(header::RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string())
    }

    /// Write it as the answer to the request `request_id`.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let body = ProblemDetails {
            type_: "about:blank".into(),
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.into(),
            request_id: request_id.into(),
            errors: self
                .errors
                .iter()
                .map(|e| InvalidPart { location: e.location.clone(), message: e.message.clone() })
                .collect(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::builder().status(self.status).content_type(MEDIA_TYPE).body(body);
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.as_deref().unwrap_or(&self.detail))
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }
    fn as_response(&self) -> Response {
        self.render("")
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let with_errors = |status, code, error: &Error, errors: Vec<FieldError>| {
            let mut problem = Self::new(status, code, error.to_string());
            problem.errors = errors;
            problem
        };
        match error {
            Error::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string()),
            Error::Invalid(ref errors) => {
                with_errors(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", &error, errors.clone())
            }
            Error::InvalidModule(ref found) => {
                with_errors(StatusCode::UNPROCESSABLE_ENTITY, "invalid_module", &error, vec![found.clone()])
            }
            Error::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", error.to_string()),
            Error::Unauthenticated(_) => Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", error.to_string())
                .header(header::WWW_AUTHENTICATE, "Bearer"),
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", error.to_string()),
            Error::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", error.to_string()),
            Error::TooManyExecutions { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_executions", error.to_string())
                    .retry_after(std::time::Duration::from_secs(1))
            }
            Error::Overloaded { retry_after, .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", error.to_string()).retry_after(retry_after)
            }
            Error::Unavailable { .. } => {
                let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string())
                    .retry_after(std::time::Duration::from_secs(1));
                problem.cause = Some(chain(&error));
                problem
            }
            Error::Internal { .. } => Self::internal(chain(&error)),
        }
    }
}

impl From<poem::Error> for Problem {
    /// Take what a handler or the framework itself refused.
    fn from(error: poem::Error) -> Self {
        let error = match error.downcast::<Problem>() {
            Ok(problem) => return problem,
            Err(error) => error,
        };
        if error.is::<NotFoundError>() {
            let detail = "there is nothing at this path; /docs lists what there is";
            return Self::new(StatusCode::NOT_FOUND, "path_not_found", detail);
        }
        if error.is::<MethodNotAllowedError>() {
            let detail = "this path does not take this method; the header Allow lists those it takes";
            return Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        }
        if let Some(bad) = error.downcast_ref::<ParseParamError>() {
            return Error::invalid(bad.name, reason(&bad.reason)).into();
        }
        if let Some(bad) = error.downcast_ref::<ParsePathError>() {
            return Error::invalid("path", reason(&bad.reason)).into();
        }
        if error.is::<ContentTypeError>() {
            return Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", error.to_string());
        }
        let status = error.status();
        if status.is_server_error() {
            return Self::internal(chain(&error));
        }
        let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "bad_request" };
        Self::new(status, code, error.to_string())
    }
}

/// poem-openapi puts its own words before the reason and Rust's type names into it.
fn reason(text: &str) -> String {
    let text = text.split_once("\": ").map_or(text, |(_, reason)| reason);
    text.split(" (occurred while parsing").next().unwrap_or(text).trim().to_owned()
}

const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong with a request (RFC 9457).
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "Problem")]
pub(crate) struct ProblemDetails {
    /// Always `about:blank`: `title` is the status in words and `code` tells the cases apart.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    type_: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened, in a sentence for people; may change.
    detail: String,
    /// What happened, in a word for programs; stable. `not_found`, `invalid_input`, `invalid_module`,
    /// `malformed_json`, `malformed_form`, `too_large`, `unauthenticated`, `forbidden`, `conflict`, `rate_limited`,
    /// `too_many_executions`, `overloaded`, `unavailable`, `guest_failed`, ...
    code: String,
    /// The id of the request, as in the header `X-Request-Id` and in the server's log.
    request_id: String,
    /// What is wrong with what was sent, part by part; left out where nothing of it is to blame.
    #[oai(default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<InvalidPart>,
}

/// One thing that is wrong with what was sent.
#[derive(Clone, Debug, Serialize, Object)]
pub(crate) struct InvalidPart {
    /// Where: a path into the JSON, a form field, a query parameter, or a byte of the module.
    location: String,
    /// What is wrong and what would be right.
    message: String,
}

struct ProblemJson;

impl Payload for ProblemJson {
    const CONTENT_TYPE: &'static str = MEDIA_TYPE;
    fn check_content_type(content_type: &str) -> bool {
        content_type == MEDIA_TYPE
    }
    fn schema_ref() -> MetaSchemaRef {
        ProblemDetails::schema_ref()
    }
    fn register(registry: &mut Registry) {
        ProblemDetails::register(registry);
    }
}

/// The statuses an endpoint may refuse with, beside those that every endpoint has: a set of the constants below.
#[derive(Debug)]
pub(crate) struct Refused<const STATUSES: u32>(Problem);

/// No status of its own.
pub(crate) const NOTHING: u32 = 0;
/// 400
pub(crate) const MALFORMED: u32 = 1 << 2;
/// 404
pub(crate) const NOT_FOUND: u32 = 1 << 5;
/// 408, 413 and 415: what a body can be refused with.
pub(crate) const BODY: u32 = 1 << 6 | 1 << 8 | 1 << 9;
/// 409
pub(crate) const CONFLICT: u32 = 1 << 7;
/// 422
pub(crate) const INVALID: u32 = 1 << 10;
/// 502
pub(crate) const GUEST_FAILED: u32 = 1 << 13;

/// What every endpoint that asks for a credential may answer: 400, 401, 403, 429, 500, 503.
const COUNTED: u32 = MALFORMED | 1 << 3 | 1 << 4 | 1 << 11 | 1 << 12 | 1 << 14;

const DESCRIPTIONS: [(u32, u16, &str); 13] = [
    (2, 400, "What was sent cannot be read: malformed JSON, form or header, or two different credentials."),
    (3, 401, "No credential, or none that is good. `WWW-Authenticate` says which kind is wanted."),
    (4, 403, "The credential does not have the scope or role that this needs."),
    (5, 404, "There is no such thing, or it is somebody else's."),
    (6, 408, "The body took longer to arrive than `server.body_timeout_ms`."),
    (7, 409, "It is there already, with other content."),
    (8, 413, "The body, or a part of it, is larger than its limit."),
    (9, 415, "The body is of a content type that is not read here."),
    (10, 422, "What was sent can be read, and is wrong; `errors` says where."),
    (
        11,
        429,
        "The rate limit is reached (`rate_limited`), or too many of the caller's executions run at this time \
               (`too_many_executions`). `Retry-After` says when to try again.",
    ),
    (12, 500, "The server failed. Its log has the cause under the `request_id`."),
    (13, 502, "With `strict=true`: the guest did not succeed; `detail` says how it ended."),
    (
        14,
        503,
        "The server is overloaded, or a part that it needs does not answer. `Retry-After` says when to try again.",
    ),
];

impl<const STATUSES: u32> ApiResponse for Refused<STATUSES> {
    fn meta() -> MetaResponses {
        let chosen = DESCRIPTIONS.iter().filter(|(bit, ..)| (STATUSES | COUNTED) & (1 << bit) != 0);
        let responses = chosen.map(|(_, status, description)| MetaResponse {
            description,
            status: Some(*status),
            status_range: None,
            content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: ProblemJson::schema_ref() }],
            headers: Vec::new(),
        });
        MetaResponses { responses: responses.collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemJson::register(registry);
    }
}

impl<const STATUSES: u32> From<Error> for Refused<STATUSES> {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

impl<const STATUSES: u32> From<Problem> for Refused<STATUSES> {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl<const STATUSES: u32> From<Refused<STATUSES>> for poem::Error {
    fn from(refused: Refused<STATUSES>) -> Self {
        refused.0.into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.render("")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_error_of_core_has_its_status_and_code() {
        let cases = [
            (Error::NotFound("module `x`".into()), 404, "not_found"),
            (Error::invalid("name", "is empty"), 422, "invalid_input"),
            (Error::InvalidModule(FieldError::new("byte 8", "no section")), 422, "invalid_module"),
            (Error::TooLarge { what: "body".into(), limit: 1 }, 413, "too_large"),
            (Error::Unauthenticated("no".into()), 401, "unauthenticated"),
            (Error::Forbidden("no".into()), 403, "forbidden"),
            (Error::Conflict("taken".into()), 409, "conflict"),
            (Error::TooManyExecutions { tier: "free".into(), running: 2 }, 429, "too_many_executions"),
            (Error::Overloaded { what: "full".into(), retry_after: Duration::from_millis(1200) }, 503, "overloaded"),
            (Error::unavailable("the database", "secret host"), 503, "unavailable"),
            (Error::internal("read", "secret path"), 500, "internal_error"),
        ];
        for (error, status, code) in cases {
            let problem = Problem::from(error);
            assert_eq!((problem.status.as_u16(), problem.code), (status, code));
            assert!(!problem.detail.contains("secret"), "{}", problem.detail);
        }
    }

    #[test]
    fn an_overloaded_server_says_when_to_try_again_in_whole_seconds() {
        let error = Error::Overloaded { what: "full".into(), retry_after: Duration::from_millis(1200) };
        let response = Problem::from(error).render("r-1");
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }

    #[test]
    fn only_the_log_learns_the_cause_of_a_failure() {
        let problem = Problem::from(Error::internal("read", "disk on fire"));
        assert!(problem.cause.as_deref().unwrap().contains("disk on fire"));
        assert!(!problem.detail.contains("fire"));
    }
}
