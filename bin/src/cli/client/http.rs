//! The HTTP client: where the server is, who asks, and what is wrong when it does not answer.

use std::{fs, path::PathBuf, time::Duration};

use bytes::{Bytes, BytesMut};
use clap::Args;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header, redirect};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use wasmwiz_core::api_key::KeySecret;

use super::problem;
use crate::cli::Failure;

/// The variable with the API key. There is no flag for it: everybody on a machine sees the arguments of its programs.
const KEY_VARIABLE: &str = "WASMWIZ_API_KEY";
/// The largest answer that is taken into memory. Executions' output and modules are far below it by the server's limits.
const MAX_ANSWER: usize = 512 << 20;
/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may be silent. An execution can wait for its turn and then use all of its time.
const SILENCE: Duration = Duration::from_secs(600);

/// Which server, and as whom. The API key comes from the variable WASMWIZ_API_KEY or from --key-file.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(in crate::cli) struct Connection {
    /// The server's address.
    #[arg(long, env = "WASMWIZ_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = base)]
    server: Url,
    /// A file with the API key; without it the variable WASMWIZ_API_KEY has it, if the server asks for one.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// A client of one server.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<header::HeaderValue>,
}

impl Client {
    pub(super) fn new(connection: &Connection) -> Result<Self, Failure> {
        let base = connection.server.clone();
        let key = key(connection)?;
        // Fails only where one is installed already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("wasmwiz/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE)
            // The API redirects nobody; following would send the key and the module somewhere else.
            .redirect(redirect::Policy::none());
        if base.scheme() == "http" {
            // A machine without certificates can talk to a server without them.
            builder = builder.tls_certs_only([]);
        }
        if base.host_str().is_some_and(is_local) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Failure::new(format!("cannot start: {}", chain(error))))?;
        Ok(Self { http, base, key })
    }

    /// Begin a request to a path below `/api`.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.authorized(self.http.request(method, self.url(path)))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        // The path is ours, with every foreign part of it escaped.
        url.set_path(&format!("{}/api{path}", self.base.path().trim_end_matches('/')));
        url
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.header(header::AUTHORIZATION, key),
            None => request,
        }
    }

    /// Send a request, and give its answer if it is a success.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            let target =
                response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
            let target = crate::cli::text::clean(target);
            return Err(Failure::new(format!("the server refers to {target}; name the right one with --server")));
        }
        let body = self.body(response).await?;
        let mut sentence = problem::sentence(status, &body);
        if status == StatusCode::UNAUTHORIZED && self.key.is_none() {
            sentence.push_str(&format!(
                "\n  Put your key into the variable {KEY_VARIABLE}, or name its file with --key-file"
            ));
        }
        Err(Failure::new(sentence))
    }

    /// Send a request and read its answer.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let response = self.send(request).await?;
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::new(format!("the answer of {} is not what a WasmWiz server sends: {error}", self.base))
        })
    }

    /// Ask for something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Failure> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.json(self.authorized(self.http.get(url))).await
    }

    /// Send JSON, and give what is answered.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    /// Remove something.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// Read an answer's body, up to a bound.
    pub(super) async fn body(&self, mut response: Response) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Failure::new(format!("the answer of {} has more than {MAX_ANSWER} bytes", self.base)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let server = self.base.as_str().trim_end_matches('/');
        Failure::new(if error.is_connect() {
            format!(
                "no server answers at {server} ({}). Start one with `wasmwiz serve`, or name another with --server",
                root(&error)
            )
        } else if error.is_timeout() {
            format!("the server at {server} did not answer in time")
        } else {
            format!("the connection to {server} broke: {}", root(&error))
        })
    }
}

fn base(text: &str) -> Result<Url, String> {
    let wrong = |reason: &str| format!("{reason}; write http://HOST:PORT or https://HOST");
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(wrong("not an address of a server"));
    }
    if url.password().is_some() || !url.username().is_empty() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("only an address is wanted"));
    }
    Ok(url)
}

fn is_local(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn key(connection: &Connection) -> Result<Option<header::HeaderValue>, Failure> {
    let (source, text) = match &connection.key_file {
        Some(path) => {
            let text = fs::read_to_string(path);
            let source = format!("the key file {}", path.display());
            (source.clone(), text.map_err(|error| Failure::io(format_args!("cannot read {source}"), &error))?)
        }
        None => match std::env::var(KEY_VARIABLE) {
            Ok(text) if !text.trim().is_empty() => (KEY_VARIABLE.to_owned(), text),
            Ok(_) | Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(_) => return Err(Failure::new(format!("{KEY_VARIABLE} is no text"))),
        },
    };
    header_of(&source, text.trim()).map(Some)
}

/// Write a credential as a header. One that claims to be an API key must be one: a mistyped key is told before it is sent.
fn header_of(source: &str, text: &str) -> Result<header::HeaderValue, Failure> {
    let wrong = || Failure::new(format!("{source} holds no API key: a character is missing, changed or too many"));
    if text.is_empty() || (KeySecret::looks_like(text) && KeySecret::parse(text).is_none()) {
        return Err(wrong());
    }
    let mut value = header::HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The cause at the bottom of an error, which is the part that tells somebody at a terminal something.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn chain(error: reqwest::Error) -> String {
    wasmwiz_core::error::chain(&error.without_url())
}

#[cfg(test)]
mod tests {
    use wasmwiz_core::system::SystemRandom;

    use super::*;

    fn connection(server: &str) -> Connection {
        Connection { server: base(server).unwrap(), key_file: None }
    }

    #[test]
    fn an_address_that_is_none_says_what_to_write() {
        for wrong in ["", "localhost:8080", "ftp://a", "http://", "http://user:secret@a", "http://a/?x=1"] {
            let error = base(wrong).unwrap_err();
            assert!(error.ends_with("write http://HOST:PORT or https://HOST"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_server_may_live_below_a_path() {
        let client = Client::new(&connection("http://a/wiz/")).unwrap();
        let request = client.request(Method::GET, "/wasm/modules").build().unwrap();
        assert_eq!(request.url().as_str(), "http://a/wiz/api/wasm/modules");
    }

    #[test]
    fn a_mistyped_key_is_not_sent() {
        let key = KeySecret::generate(&SystemRandom);
        let header = header_of("X", key.expose()).unwrap();
        assert!(header.is_sensitive());
        let error = header_of("the key file k", &key.expose()[..40]).unwrap_err();
        assert!(error.message().starts_with("the key file k holds no API key"));
        assert!(header_of("X", "a\nb").is_err());
        assert!(header_of("X", "eyJhbGciOi.a.b").is_ok(), "a token of another form is the server's to judge");
    }

    #[test]
    fn connection_refused_says_how_to_start_a_server() {
        // A port that was just free: nobody listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = format!("http://127.0.0.1:{port}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = Client::new(&connection(&server)).unwrap();
        let error = runtime.block_on(client.get::<Value>("/wasm/modules", &[])).unwrap_err();
        let expected = format!(
            "no server answers at {server} (Connection refused (os error 111)). Start one with `wasmwiz serve`"
        );
        assert!(error.message().starts_with(&expected), "{}", error.message());
    }
}
