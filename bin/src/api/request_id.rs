//! What belongs to one request: its id, what the rate limiter decided, and the memory set aside for its body.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use poem::{
    Request, Response,
    http::{HeaderValue, header},
};
use tokio::sync::OwnedSemaphorePermit;
use wasmwiz_core::{rate_limit::Decision, system::System};

/// The header that carries the id.
pub(crate) const HEADER: &str = "X-Request-Id";

/// What belongs to one request.
#[derive(Debug)]
pub(crate) struct RequestContext {
    /// Its id.
    pub(crate) id: String,
    /// What the rate limiter decided, once it was asked.
    pub(crate) decision: OnceLock<Decision>,
    /// The share of `server.max_buffered_bytes` that its body has, until the answer is made.
    budget: Mutex<Option<OwnedSemaphorePermit>>,
}

impl RequestContext {
    /// Take the caller's id if it is well formed, else make one.
    pub(crate) fn new(request: &Request, system: &System) -> Arc<Self> {
        let given = request.header(HEADER).filter(|id| is_well_formed(id));
        let id = given.map_or_else(|| system.new_id().to_string(), str::to_owned);
        Arc::new(Self { id, decision: OnceLock::new(), budget: Mutex::new(None) })
    }

    /// Keep the memory set aside for the body until this request is over.
    pub(crate) fn hold(&self, permit: OwnedSemaphorePermit) {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
    }

    /// Write the id and what is left of the quota to the answer.
    pub(crate) fn stamp(&self, response: &mut Response) {
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&self.id) {
            headers.insert("x-request-id", id);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // A limit of 0 means without limit: there is nothing to count down.
        let Some(decision) = self.decision.get().filter(|decision| decision.limit > 0) else { return };
        headers.insert("ratelimit-limit", decision.limit.into());
        headers.insert("ratelimit-remaining", decision.remaining.into());
        headers.insert(
            "ratelimit-reset",
            u64::try_from(decision.reset.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).into(),
        );
    }
}

fn is_well_formed(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_id_is_kept_when_it_is_well_formed() {
        let system = System::new(None);
        let context =
            |id: &str| RequestContext::new(&Request::builder().header(HEADER, id).finish(), &system).id.clone();
        assert_eq!(context("job-7_a.b"), "job-7_a.b");
        for bad in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_eq!(uuid::Uuid::try_parse(&context(bad)).map(|id| id.get_version_num()), Ok(7), "{bad}");
        }
    }
}
