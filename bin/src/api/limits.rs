//! Bodies: how large, how slow, and how many of them in memory at a time.
//!
//! A body is stopped while it streams, before it is in memory whole: a Content-Length over the limit is refused at
//! once, a chunked body is cut at the limit. What is kept in memory is taken from `server.max_buffered_bytes`
//! as it arrives, never by the length that was announced: a client that announces much and sends little would
//! otherwise keep everybody else out at no cost.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream::BoxStream};
use poem::{
    Body, Request, RequestBody,
    http::{StatusCode, header},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};
use wasmwiz_core::{Error, config::ServerConfig};

use super::{App, error::Problem, request_id::RequestContext};

/// Memory is set aside in units of this many bytes, because a semaphore hands out at most `u32::MAX` permits at once.
const UNIT: u64 = 1024;
/// Room for a form's boundaries and headers beside what it carries, in bytes.
const FORM_OVERHEAD: u64 = 64 << 10;
/// How long what is left of a refused body is read and thrown away, so that the client gets to read the answer.
const DRAIN: Duration = Duration::from_secs(3);

/// How large a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// A form with a module.
    Upload,
    /// A form with a module and its input.
    ModuleAndInput,
    /// Anything else.
    Input,
}

/// What bodies may take.
#[derive(Debug)]
pub(crate) struct BodyLimits {
    module: u64,
    body: u64,
    timeout: Duration,
    budget: Arc<Semaphore>,
}

impl BodyLimits {
    /// Take the limits from the configuration.
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let units = usize::try_from(config.max_buffered_bytes / UNIT).unwrap_or(usize::MAX);
        Self {
            module: config.max_module_bytes,
            body: config.max_body_bytes,
            timeout: Duration::from_millis(config.body_timeout_ms),
            budget: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// The limit of a body in bytes.
    pub(crate) fn of(&self, size: Size) -> u64 {
        match size {
            Size::Upload => self.module.saturating_add(FORM_OVERHEAD),
            Size::ModuleAndInput => self.module.saturating_add(self.body).saturating_add(FORM_OVERHEAD),
            Size::Input => self.body,
        }
    }
}

/// Why a body did not arrive whole.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum BodyFault {
    /// It went past its limit.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// It took too long.
    #[error("the body took longer than {} s to arrive", .0.as_secs_f32())]
    TooSlow(Duration),
    /// The connection broke, or the chunks were malformed.
    #[error("the body broke off: {0}")]
    Broken(String),
    /// Too much of others is in memory.
    #[error("the server holds as many request bodies as it may")]
    NoRoom,
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::TooLarge(limit) => Error::TooLarge { what: "the body".into(), limit }.into(),
            BodyFault::TooSlow(_) => Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", fault.to_string()),
            BodyFault::Broken(_) => Self::malformed("body_broken", "body", fault.to_string()),
            BodyFault::NoRoom => {
                Error::Overloaded { what: fault.to_string(), retry_after: Duration::from_secs(1) }.into()
            }
        }
    }
}

/// A body on its way in.
pub(crate) struct Incoming {
    inner: BoxStream<'static, std::io::Result<Bytes>>,
    declared: Option<u64>,
    limit: u64,
    left: u64,
    timeout: Option<(Duration, Pin<Box<Sleep>>)>,
    share: Option<Share>,
}

/// What a body has of `server.max_buffered_bytes`. It grows with the body, and goes on to the request when the body
/// has been read: what was made of it stays in memory until the answer is there.
struct Share {
    budget: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    context: Option<Arc<RequestContext>>,
}

impl Share {
    /// Have room for `bytes` in all.
    fn grow(&mut self, bytes: u64) -> Result<(), BodyFault> {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u64;
        let missing = bytes.div_ceil(UNIT).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = self.budget.clone().try_acquire_many_owned(missing).map_err(|_| BodyFault::NoRoom)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let (Some(context), Some(held)) = (&self.context, self.held.take()) {
            context.hold(held);
        }
    }
}

impl Incoming {
    /// Take the body of a request that will be read into memory. Reading it fails with [`BodyFault::NoRoom`] where none
    /// is left for what arrived.
    pub(crate) fn buffered(request: &Request, body: &mut RequestBody, size: Size) -> Result<Self, Problem> {
        let app = App::of(request)?;
        let mut incoming = Self::streamed(request, body, size)?;
        if incoming.declared != Some(0) {
            let timeout = app.bodies.timeout;
            incoming.timeout = Some((timeout, Box::pin(tokio::time::sleep(timeout))));
            let context = request.data::<Arc<RequestContext>>().cloned();
            incoming.share = Some(Share { budget: app.bodies.budget.clone(), held: None, context });
        }
        Ok(incoming)
    }

    /// Take the body of a request that is passed on as it arrives.
    pub(crate) fn streamed(request: &Request, body: &mut RequestBody, size: Size) -> Result<Self, Problem> {
        let limit = App::of(request)?.bodies.of(size);
        // hyper answers a Content-Length that is no number with 400 before it comes here.
        let declared = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if declared.is_some_and(|declared| declared > limit) {
            return Err(BodyFault::TooLarge(limit).into());
        }
        let taken = body.take().unwrap_or_default();
        let declared = if taken.is_empty() { Some(0) } else { declared };
        Ok(Self { inner: taken.into_bytes_stream().boxed(), declared, limit, left: limit, timeout: None, share: None })
    }

    /// Its length, if it is known; 0 also when there is no body at all.
    pub(crate) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Count what arrived.
    fn admit(&mut self, chunk: Bytes) -> Result<Bytes, BodyFault> {
        self.left = self.left.checked_sub(chunk.len() as u64).ok_or(BodyFault::TooLarge(self.limit))?;
        if let Some(share) = &mut self.share {
            share.grow(self.limit - self.left)?;
        }
        Ok(chunk)
    }

    /// Read it whole.
    pub(crate) async fn bytes(mut self) -> Result<Bytes, BodyFault> {
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await.transpose()? else { return Ok(first) };
        // Room for what is there, not for what was announced: it may never come.
        let mut whole = BytesMut::with_capacity(first.len() + second.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(chunk) = self.next().await.transpose()? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, BodyFault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match this.inner.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(chunk))) => Poll::Ready(Some(this.admit(chunk))),
            Poll::Ready(Some(Err(error))) => {
                let text = wasmwiz_core::error::chain(&error);
                Poll::Ready(Some(Err(BodyFault::Broken(text))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match &mut this.timeout {
                Some((timeout, alarm)) => alarm.as_mut().poll(cx).map(|()| Some(Err(BodyFault::TooSlow(*timeout)))),
                None => Poll::Pending,
            },
        }
    }
}

/// Give `request` a body that is read to its end in the background should nobody want it: a client that is still
/// sending when it is refused would otherwise find its connection reset instead of the answer.
pub(crate) fn drain_when_refused(request: &mut Request) {
    let body = request.take_body();
    if body.is_empty() {
        return;
    }
    // Who sends `Expect: 100-continue` waits for the first read, and sends nothing when there is none.
    let waits = request.header(header::EXPECT).is_some();
    let inner = Some(body.into_bytes_stream().boxed());
    request.set_body(Body::from_bytes_stream(Draining { inner, sending: !waits }));
}

struct Draining {
    inner: Option<BoxStream<'static, std::io::Result<Bytes>>>,
    sending: bool,
}

impl Stream for Draining {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.sending = true;
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let polled = inner.poll_next_unpin(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.inner = None;
        }
        polled
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        let Some(mut rest) = self.inner.take().filter(|_| self.sending) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = tokio::time::timeout(DRAIN, async { while let Some(Ok(_)) = rest.next().await {} }).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(budget: &Arc<Semaphore>) -> Share {
        Share { budget: budget.clone(), held: None, context: None }
    }

    #[test]
    fn a_share_grows_with_what_arrives_and_is_given_back() {
        let budget = Arc::new(Semaphore::new(4));
        let (mut one, mut two) = (share(&budget), share(&budget));
        one.grow(1).unwrap();
        one.grow(UNIT).unwrap();
        assert_eq!(budget.available_permits(), 3);
        one.grow(3 * UNIT).unwrap();
        two.grow(UNIT).unwrap();
        assert!(matches!(one.grow(3 * UNIT + 1), Err(BodyFault::NoRoom)));
        drop(two);
        one.grow(3 * UNIT + 1).unwrap();
        drop(one);
        assert_eq!(budget.available_permits(), 4);
    }
}
