//! The server: connections in, answers out, and how it ends.
//!
//! Poem answers the requests; the connections are kept here, because Poem's own server has no limit on how many there
//! are, how long a request's head may take, or how long a client may leave an answer unread.
//!
//! Only HTTP/1.1 is spoken. An HTTP/2 client decides by its windows when an answer leaves (RFC 9113 section 6.9): with a
//! window of 0 it keeps a hundred finished answers per connection in memory for as long as it answers pings, and nothing
//! is ever left unread in the socket by which that could be told. HTTP/1.1 has one answer at a time on a connection,
//! and one that is not read stalls the socket. Who wants HTTP/2 puts a reverse proxy in front.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    Addr, Endpoint, Response,
    endpoint::BoxEndpoint,
    http::{self, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream, lookup_host},
    sync::Semaphore,
    time::{Instant, Sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wasmwiz_core::{
    Error, Platform, Result,
    config::{Config, ServerConfig},
};

use crate::api;

/// How long a connection may be idle, and how long the head of a request may take: nginx's `keepalive_timeout`, and
/// more than the 60 s after which the usual load balancers close on their side.
const IDLE: Duration = Duration::from_secs(75);
/// How long a new connection may take to send its first bytes.
const FIRST_BYTES: Duration = Duration::from_secs(10);
/// Connections that wait to be accepted; Linux caps it at net.core.somaxconn.
const BACKLOG: u32 = 1024;
/// How long answers may take to be written after what ran was cancelled.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serve until `stop` is cancelled: then accept nobody, finish what runs within `server.shutdown_grace_ms`, cancel the
/// rest, and close the platform. `ready` is told the address once connections are accepted.
///
/// # Errors
/// When the address cannot be listened at.
pub(crate) async fn serve(
    config: &Config,
    platform: Platform,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> Result<()> {
    let listener = listen(&config.server).await?;
    let address = listener.local_addr().map_err(|error| Error::internal("find the address listened at", error))?;
    let app =
        api::App::new(&config.server, platform.clone()).map_err(|error| Error::internal("set up metrics", error))?;
    let server = Server {
        endpoint: Arc::new(api::endpoint(app)),
        patience: Duration::from_millis(config.server.body_timeout_ms),
        stop,
        abort: CancellationToken::new(),
        connections: TaskTracker::new(),
    };
    tracing::info!(%address, "listening");
    ready(address);
    server.accept(listener, config.server.max_connections).await;
    server.end(&platform, Duration::from_millis(config.server.shutdown_grace_ms)).await;
    Ok(())
}

async fn listen(config: &ServerConfig) -> Result<TcpListener> {
    let host = config.host.trim_start_matches('[').trim_end_matches(']');
    let failed = |error: io::Error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "another program listens there; choose another port".to_owned(),
            io::ErrorKind::PermissionDenied => "this user may not; ports below 1024 need a privilege".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
            _ => error.to_string(),
        };
        Error::internal(format!("cannot listen at {host} port {}", config.port), reason)
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((host, config.port)).await.map_err(failed)? {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server gets its port back while old connections are still in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

struct Server {
    endpoint: Arc<BoxEndpoint<'static, Response>>,
    patience: Duration,
    stop: CancellationToken,
    abort: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    async fn accept(&self, listener: TcpListener, most: usize) {
        let places = Arc::new(Semaphore::new(most));
        let next = async || {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            let (socket, peer) = listener.accept().await?;
            Ok::<_, io::Error>((place, socket, peer))
        };
        while let Some(accepted) = self.stop.run_until_cancelled(next()).await {
            match accepted {
                Ok((place, socket, peer)) => {
                    let connection = self.connection(socket, peer);
                    let abort = self.abort.clone();
                    self.connections.spawn(async move {
                        abort.run_until_cancelled(connection).await;
                        drop(place);
                    });
                }
                // As a rule no file descriptor is left: another try at once would fail as well.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn end(self, platform: &Platform, grace: Duration) {
        self.connections.close();
        tracing::info!(connections = self.connections.len(), "stopped accepting; finishing what runs");
        let finished = tokio::time::timeout(grace, self.connections.wait()).await.is_ok();
        platform.close(Duration::ZERO).await;
        if !finished && tokio::time::timeout(LAST_WORDS, self.connections.wait()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "closing connections that did not end");
            self.abort.cancel();
            self.connections.wait().await;
        }
        tracing::info!("stopped");
    }

    fn connection(&self, socket: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + Send + 'static {
        let (endpoint, stop, patience) = (self.endpoint.clone(), self.stop.clone(), self.patience);
        async move {
            // Answers are written whole; to wait for more to send with them only costs time.
            let _ = socket.set_nodelay(true);
            let Ok(local) = socket.local_addr() else { return };
            // To be readable can be a false alarm; a byte that can be looked at is none.
            let mut byte = [0];
            let first = stop.run_until_cancelled(tokio::time::timeout(FIRST_BYTES, socket.peek(&mut byte))).await;
            let Some(Ok(Ok(1..))) = first else { return };
            let service = service_fn(move |request: http::Request<Incoming>| {
                let endpoint = endpoint.clone();
                async move {
                    let (local, peer) = (LocalAddr(Addr::from(local)), RemoteAddr(Addr::from(peer)));
                    let response = endpoint.get_response((request, local, peer, Scheme::HTTP).into()).await;
                    Ok::<http::Response<_>, Infallible>(response.into())
                }
            });
            let io = TokioIo::new(Impatient::new(socket, patience));
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(IDLE);
            let mut connection = pin!(builder.serve_connection(io, service));
            let result = tokio::select! {
                result = &mut connection => result,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = result {
                tracing::debug!(%peer, error = wasmwiz_core::error::chain(&error), "connection ended");
            }
        }
    }
}

/// A connection that is given up when its peer leaves what was written unread for too long: an answer would stay in
/// memory for as long as its reader likes.
struct Impatient {
    socket: TcpStream,
    patience: Duration,
    stalled: bool,
    alarm: Pin<Box<Sleep>>,
}

impl Impatient {
    fn new(socket: TcpStream, patience: Duration) -> Self {
        Self { socket, patience, stalled: false, alarm: Box::pin(tokio::time::sleep(patience)) }
    }

    fn check<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = false;
            return written;
        }
        if !self.stalled {
            self.stalled = true;
            let end = Instant::now() + self.patience;
            self.alarm.as_mut().reset(end);
        }
        ready!(self.alarm.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl AsyncRead for Impatient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.check(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.check(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
