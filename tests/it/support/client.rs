//! A client of a server, with a key of its own.

use std::{path::PathBuf, time::Duration};

use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap, multipart};
use serde_json::Value;

/// A caller of a server.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    key: Option<String>,
    log: PathBuf,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Read an answer.
    pub(crate) async fn of(answer: reqwest::Response) -> Self {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.expect("the body arrives").to_vec();
        Self { status, headers, body }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Assert the status, and give the body as JSON.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// Assert that this is a problem (RFC 9457) with this status and code, and give it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{problem}");
        for word in ["type", "title", "detail"] {
            assert!(problem[word].as_str().is_some_and(|text| !text.is_empty()), "{word} in {problem}");
        }
        problem
    }

    /// Assert that this is a problem whose `errors` blame exactly `location`, with a message that has `words` in it.
    #[track_caller]
    pub(crate) fn blames(&self, status: u16, code: &str, location: &str, words: &str) {
        let problem = self.problem(status, code);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors in {problem}"));
        let found: Vec<_> = errors.iter().filter_map(|error| error["location"].as_str()).collect();
        assert_eq!(found, [location], "{problem}");
        assert!(errors[0]["message"].as_str().is_some_and(|message| message.contains(words)), "`{words}` in {problem}");
    }
}

impl Client {
    /// Be a client of the server at `url`, whose log is at `log`.
    pub(crate) fn new(url: String, key: Option<String>, log: PathBuf) -> Self {
        // Fails only where one is installed already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http =
            reqwest::Client::builder().timeout(Duration::from_secs(60)).redirect(reqwest::redirect::Policy::none());
        Self { url, http: http.build().expect("a client"), key, log }
    }

    /// The same server, as whoever has this key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same server, as nobody.
    pub(crate) fn anonymous(&self) -> Self {
        Self { key: None, ..self.clone() }
    }

    /// The key in use.
    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().expect("this client has a key")
    }

    /// Make a user and a key of theirs, for which this client must be an administrator.
    pub(crate) async fn new_user(&self, name: &str, tier: &str) -> Self {
        let body = serde_json::json!({"name": name, "tier": tier});
        let user = self.post("/api/admin/users", &body).await.ok(201);
        let path = format!("/api/admin/users/{}/keys", user["id"].as_str().expect("an id"));
        let key = self.post(&path, &serde_json::json!({"name": "first"})).await.ok(201);
        self.with_key(key["secret"].as_str().expect("a secret"))
    }

    /// What the server logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Begin a request, with the key if there is one.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Send a request and read the answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap_or_else(|error| panic!("{error:?}; log: {}", self.log()));
        Answer::of(answer).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Send text under a content type.
    pub(crate) async fn post_text(&self, path: &str, content_type: &str, body: impl Into<String>) -> Answer {
        self.send(self.request(Method::POST, path).header("content-type", content_type).body(body.into())).await
    }

    pub(crate) async fn post_bytes(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.request(Method::POST, path).body(body)).await
    }

    pub(crate) async fn post_form(&self, path: &str, form: multipart::Form) -> Answer {
        self.send(self.request(Method::POST, path).multipart(form)).await
    }

    /// Upload a module.
    pub(crate) async fn upload(&self, name: &str, wasm: Vec<u8>) -> Answer {
        self.upload_with(name, wasm, &[]).await
    }

    /// Upload a module with further fields.
    pub(crate) async fn upload_with(&self, name: &str, wasm: Vec<u8>, fields: &[(&str, &str)]) -> Answer {
        let part = multipart::Part::bytes(wasm).file_name("module.wasm");
        let form = multipart::Form::new().text("name", name.to_owned()).part("wasm", part);
        let with =
            |form: multipart::Form, (name, text): &(&str, &str)| form.text((*name).to_owned(), (*text).to_owned());
        self.post_form("/api/wasm/upload", fields.iter().fold(form, with)).await
    }

    /// Upload a guest of `tests/guests` under its own name, which is given back.
    pub(crate) async fn upload_guest<'a>(&self, path: &'a str) -> &'a str {
        let name = path.rsplit('/').next().unwrap_or(path);
        let answer = self.upload(name, super::guest(path)).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        name
    }

    /// Execute a stored module and give the execution.
    pub(crate) async fn execute(&self, module: &str, mut invocation: Value) -> Value {
        invocation["module"] = module.into();
        self.post("/api/wasm/execute", &invocation).await.ok(200)
    }
}
