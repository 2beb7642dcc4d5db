//! `POST /api/wasm/upload`

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use wasmwiz_core::module::ModuleHash;

use crate::support::{TestServer, assert_fields, guest};

const UPLOAD: &str = "/api/wasm/upload";

fn wasm(bytes: Vec<u8>) -> Part {
    Part::bytes(bytes).file_name("module.wasm")
}

/// A module that differs from all with another number.
fn numbered(number: u32) -> Vec<u8> {
    format!("(module (func (export \"number\") (result i32) (i32.const {number})))").into_bytes()
}

#[tokio::test]
async fn an_uploaded_module_is_described_and_found() {
    let server = TestServer::start().await;
    let bytes = guest("samples/echo");
    let answer =
        server.upload_with("my-echo", bytes.clone(), &[("description", "gives back"), ("visibility", "private")]).await;
    let module = answer.ok(201);
    assert_fields(
        &module,
        &[
            "id",
            "name",
            "version",
            "description",
            "sha256",
            "size_bytes",
            "visibility",
            "abi",
            "owner",
            "created_at",
            "last_executed_at",
        ],
    );
    let expected = json!({
        "id": module["id"], "name": "my-echo", "version": 1, "description": "gives back",
        "sha256": ModuleHash::of(&bytes).to_string(), "size_bytes": bytes.len(), "visibility": "private",
        "abi": "wasi_preview1", "owner": "you", "created_at": module["created_at"], "last_executed_at": null,
    });
    assert_eq!(module, expected);
    assert!(module["created_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{module}");
    let location = answer.header("location");
    assert_eq!(location, format!("/api/wasm/modules/{}", module["id"].as_str().expect("an id")));
    assert_eq!(server.get(location).await.ok(200)["id"], module["id"]);
}

#[tokio::test]
async fn versions_count_up_and_the_same_bytes_stay_one_version() {
    let server = TestServer::start().await;
    let first = server.upload("count", numbered(1)).await.ok(201);
    let second = server.upload("count", numbered(2)).await.ok(201);
    assert_eq!((&first["version"], &second["version"]), (&json!(1), &json!(2)));
    let again = server.upload("count", numbered(1)).await;
    assert_eq!(again.ok(200)["id"], first["id"]);
    assert_eq!(again.header("location"), format!("/api/wasm/modules/{}", first["id"].as_str().expect("an id")));
    let other = server.upload("other", numbered(1)).await.ok(201);
    assert_eq!((&other["version"], &other["sha256"]), (&json!(1), &first["sha256"]));
}

#[tokio::test]
async fn uploads_at_the_same_time_get_versions_of_their_own() {
    let server = TestServer::start().await;
    let different = futures::future::join_all((0..12).map(|number| server.upload("race", numbered(number)))).await;
    let mut versions: Vec<_> =
        different.iter().map(|answer| answer.ok(201)["version"].as_u64().expect("a number")).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=12).collect::<Vec<_>>());
    let same = futures::future::join_all((0..8).map(|_| server.upload("same", numbered(0)))).await;
    assert_eq!(same.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(same.iter().all(|answer| answer.json()["version"] == 1));
}

#[tokio::test]
async fn text_is_taken_and_kept_as_binary() {
    let server = TestServer::start().await;
    let text = "(module (func (export \"add\") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))";
    let module = server.upload("text", text.into()).await.ok(201);
    assert_eq!(module["abi"], "none");
    let content = server.get("/api/wasm/modules/text/content").await.body;
    assert!(content.starts_with(b"\0asm\x01\0\0\0"));
    assert_eq!(module["sha256"], ModuleHash::of(&content).to_string());
    assert_eq!(server.upload("text", content).await.ok(200)["id"], module["id"]);
    let sum = server.execute("text", json!({"entrypoint": {"function": "add", "params": [2, 3]}})).await;
    assert_eq!(sum["results"], json!([5]));
}

#[tokio::test]
async fn what_is_no_module_is_refused_with_the_place() {
    let server = TestServer::start().await;
    let mut truncated = guest("samples/hello");
    truncated.truncate(truncated.len() / 2);
    for bytes in [b"hello".to_vec(), truncated, b"(module (func (unknown)))".to_vec(), vec![0xff; 100]] {
        let problem = server.upload("x", bytes).await.problem(422, "invalid_module");
        let error = &problem["errors"][0];
        assert!(error["location"].is_string() && error["message"].is_string(), "{problem}");
    }
    assert_eq!(server.get("/api/wasm/modules").await.ok(200)["items"], json!([]), "nothing is kept of them");
}

#[tokio::test]
async fn a_form_that_is_wrong_says_which_field_and_why() {
    let server = TestServer::start().await;
    let module = || Form::new().part("wasm", wasm(numbered(1)));
    let cases: Vec<(Form, &str, &str)> = vec![
        (Form::new().text("name", "x"), "wasm", "is missing"),
        (module(), "name", "is missing"),
        (Form::new().text("name", "x").part("wasm", wasm(Vec::new())), "wasm", "is empty"),
        (module().text("name", ""), "name", "1 to 64"),
        (module().text("name", "a b"), "name", "1 to 64"),
        (module().text("name", "../etc/passwd"), "name", "1 to 64"),
        (module().text("name", "x@1"), "name", "1 to 64"),
        (module().text("name", "x".repeat(65)), "name", "1 to 64"),
        (module().text("name", "01890000-0000-7000-8000-000000000000"), "name", "UUID"),
        (module().text("name", "x").text("visibility", "secret"), "visibility", "private, public"),
        (module().text("name", "x").text("description", "x".repeat(2001)), "description", "2000"),
        (module().text("name", "x").text("name", "y"), "name", "twice"),
        (module().text("name", "x").part("wasm", wasm(numbered(2))), "wasm", "twice"),
        (module().text("name", "x").text("version", "3"), "version", "unknown field"),
        (module().part("name", Part::bytes(&b"\xff\xfe"[..])), "name", "UTF-8"),
    ];
    for (form, location, words) in cases {
        server.post_form(UPLOAD, form).await.blames(422, "invalid_input", location, words);
    }
    let problem = server.post_form(UPLOAD, Form::new().text("visibility", "x")).await.problem(422, "invalid_input");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(3), "all at once: {problem}");
    let answer = server.post_form(UPLOAD, module().text("name", "x").text("description", "y".repeat(1 << 20))).await;
    answer.problem(413, "too_large");
    assert_eq!(server.get("/api/wasm/modules").await.ok(200)["items"], json!([]));
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_a_400_problem() {
    let server = TestServer::start().await;
    let with = async |content_type: &str, body: &str| server.post_text(UPLOAD, content_type, body).await;
    with("multipart/form-data", "x").await.blames(400, "malformed_form", "Content-Type", "boundary");
    let form = "multipart/form-data; boundary=b";
    for body in ["", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"wasm\"\r\n\r\nabc", "no form at all"] {
        let problem = with(form, body).await.problem(400, "malformed_form");
        assert_eq!(problem["errors"][0]["location"], "form", "{body}");
    }
    with(form, "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n").await.problem(400, "malformed_form");
    let empty = with(form, "--b--\r\n").await;
    assert!([400, 422].contains(&empty.status.as_u16()), "{}", empty.text());
    let headers = format!("--b\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", "x".repeat(1 << 20));
    let answer = with(form, &headers).await;
    assert!(answer.status.is_client_error(), "{}", answer.text());
    let many = "--b\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n\r\n".repeat(20_000);
    let answer = with(form, &many).await;
    assert!(answer.status.is_client_error(), "{}", answer.text());
}

#[tokio::test]
async fn what_others_say_of_a_module_is_theirs_alone() {
    let server = TestServer::builder().with_login().start().await;
    let (ada, bob) = (server.new_user("ada", "pro").await, server.new_user("bob", "pro").await);
    let hers = ada.upload_with("tool", numbered(1), &[("description", "hers")]).await.ok(201);
    let his = bob.upload_with("tool", numbered(1), &[("description", "his")]).await.ok(201);
    assert_ne!(hers["id"], his["id"], "the same name and bytes of two owners are two modules");
    let seen: Value = bob.get("/api/wasm/modules/tool").await.ok(200);
    assert_eq!((&seen["id"], &seen["description"], &seen["version"]), (&his["id"], &json!("his"), &json!(1)));
}
