//! `POST /api/wasm/execute` as a form

use reqwest::multipart::{Form, Part};
use serde_json::json;
use wasmwiz_core::module::ModuleHash;

use crate::support::{Answer, TestServer, guest};

async fn execute(server: &TestServer, form: Form) -> Answer {
    server.post_form("/api/wasm/execute", form).await
}

fn file(name: &str, content: impl Into<Vec<u8>>) -> Part {
    Part::bytes(content.into()).file_name(name.to_owned())
}

#[tokio::test]
async fn a_module_that_comes_along_runs_and_is_not_stored() {
    let server = TestServer::start().await;
    let wasm = guest("samples/echo");
    let form =
        Form::new().part("wasm", file("echo.wasm", wasm.clone())).part("input", file("input", b"\x00\xff".to_vec()));
    let execution = execute(&server, form).await.ok(200);
    assert_eq!((&execution["stdout"], &execution["stdout_encoding"]), (&json!("AP8="), &json!("base64")));
    let sha256 = ModuleHash::of(&wasm).to_string();
    assert_eq!(execution["module"], json!({"id": null, "name": null, "version": null, "sha256": sha256}));
    assert_eq!(server.get("/api/wasm/modules").await.ok(200)["items"], json!([]));
    let record = server.get(&format!("/api/executions/{}", execution["id"].as_str().expect("an id"))).await.ok(200);
    assert_eq!(record["module"], execution["module"]);
    let text =
        Form::new().text("wasm", "(module (func (export \"f\") (result i32) (i32.const 4)))").text("function", "f");
    assert_eq!(execute(&server, text).await.ok(200)["results"], json!([4]));
}

#[tokio::test]
async fn every_field_reaches_the_guest() {
    let server = TestServer::start().await;
    server.upload_guest("features/args_env").await;
    let form = Form::new().text("module", "args_env").text("arg", "one").text("arg", "two three").text("env", "A=b=c");
    let execution = execute(&server, form.text("env", "EMPTY=").text("timeout_ms", "2000")).await.ok(200);
    let stdout = execution["stdout"].as_str().expect("text");
    assert!(stdout.contains("arg one\narg two three\n"), "{stdout}");
    assert!(stdout.contains("env A=b=c\n") && stdout.contains("env EMPTY=\n"), "{stdout}");
    server.upload_guest("features/files_inout").await;
    let form =
        Form::new().text("module", "files_inout").part("file", file("in/a.txt", "hello")).text("collect", "out/*");
    let execution = execute(&server, form).await.ok(200);
    assert!(execution["files"].to_string().contains("HELLO"), "{execution}");
    let form = Form::new().text("module", "fibonacci").text("function", "add").text("param", "40").text("param", "2");
    assert_eq!(execute(&server, form).await.ok(200)["results"], json!([42]));
}

#[tokio::test]
async fn a_form_that_is_wrong_says_which_field_and_why() {
    let server = TestServer::start().await;
    let hello = || Form::new().text("module", "hello");
    let cases = [
        (Form::new().text("input", "x"), "wasm", "is missing"),
        (hello().part("wasm", file("x", guest("samples/hello"))), "wasm", "beside `module`"),
        (Form::new().part("wasm", file("x", Vec::new())), "wasm", "is empty"),
        (Form::new().text("module", ""), "module", "is empty"),
        (hello().text("module", "echo"), "module", "twice"),
        (hello().text("input", "a").text("input", "b"), "input", "twice"),
        (hello().text("timeout_ms", "1").text("timeout_ms", "2"), "timeout_ms", "twice"),
        (hello().text("timeout_ms", "soon"), "timeout_ms", "whole number"),
        (hello().text("memory_bytes", "-1"), "memory_bytes", "whole number"),
        (hello().text("env", "novalue"), "env", "KEY=VALUE"),
        (hello().text("param", "1"), "param", "without `function`"),
        (hello().text("function", "f").text("param", "one"), "param", "no number"),
        (hello().text("collect", "["), "collect[0]", ""),
        (hello().part("file", file("../x", "x")), "file", ".."),
        (hello().text("file", "no file name"), "file", "file name"),
        (hello().text("args", "x"), "args", "unknown field"),
        (hello().part("arg", Part::bytes(&b"\xff"[..])), "arg", "UTF-8"),
        (hello().part("module", Part::bytes(&b"\xff"[..])), "module", "UTF-8"),
        (hello().text("timeout_ms", "999999"), "limits.timeout_ms", "5000"),
    ];
    for (form, location, words) in cases {
        execute(&server, form).await.blames(422, "invalid_input", location, words);
    }
    execute(&server, Form::new().part("wasm", file("x", "nonsense"))).await.problem(422, "invalid_module");
    execute(&server, Form::new().text("module", "nothing")).await.problem(404, "not_found");
}

#[tokio::test]
async fn everything_a_form_carries_is_counted() {
    let server =
        TestServer::builder().with("[server]\nmax_body_bytes = 100000\nmax_module_bytes = 100000").start().await;
    let part = || file("a", vec![b'x'; 60_000]);
    let form = Form::new().text("module", "hello").part("file", part()).part("input", part());
    execute(&server, form).await.problem(413, "too_large");
    let form = Form::new().part("wasm", file("x", vec![0; 100_001]));
    execute(&server, form).await.problem(413, "too_large");
    let form = Form::new().text("module", "echo").part("input", part());
    assert_eq!(execute(&server, form).await.ok(200)["usage"]["stdout_bytes"], 60_000);
}

#[tokio::test]
async fn a_form_has_many_parts_but_not_without_end() {
    let server = TestServer::start().await;
    let many = (0..4000)
        .fold(Form::new().text("module", "hello"), |form, number| form.part("file", file(&number.to_string(), "")));
    let execution = execute(&server, many).await.ok(200);
    assert_eq!(execution["status"], "succeeded", "{execution}");
    let too_many = (0..10_001).fold(Form::new().text("module", "hello"), |form, _| form.text("arg", ""));
    let answer = execute(&server, too_many).await;
    assert!([413, 422].contains(&answer.status.as_u16()), "{}", answer.text());
}
