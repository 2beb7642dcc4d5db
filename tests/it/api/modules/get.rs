//! `GET /api/wasm/modules/{module}`

use serde_json::json;

use crate::support::{TestServer, assert_fields};

const MODULES: &str = "/api/wasm/modules";

fn tiny(number: u32) -> Vec<u8> {
    format!("(module (memory (export \"memory\") 2) (func (export \"f\") (result i32) (i32.const {number})))")
        .into_bytes()
}

#[tokio::test]
async fn a_module_is_shown_with_what_it_needs_offers_and_was_before() {
    let server = TestServer::start().await;
    let first = server.upload("tool", tiny(1)).await.ok(201);
    let second = server.upload("tool", tiny(2)).await.ok(201);
    let module = server.get(&format!("{MODULES}/tool")).await.ok(200);
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
            "memory_min_bytes",
            "imports",
            "exports",
            "versions",
        ],
    );
    assert_eq!((&module["id"], &module["version"]), (&second["id"], &json!(2)));
    assert_eq!((&module["abi"], &module["memory_min_bytes"]), (&json!("none"), &json!(131_072)));
    assert_eq!(module["imports"], json!([]));
    let exports = module["exports"].as_array().expect("a list");
    assert!(exports.contains(&json!({"name": "f", "type": "(func (result i32))"})), "{module}");
    assert!(exports.iter().any(|export| export["name"] == "memory"), "{module}");
    let versions = module["versions"].as_array().expect("a list");
    assert_fields(&versions[0], &["id", "version", "sha256", "size_bytes", "created_at"]);
    assert_eq!((&versions[0]["id"], &versions[1]["id"]), (&second["id"], &first["id"]));
    let echo = server.get(&format!("{MODULES}/echo")).await.ok(200);
    assert_eq!(echo["abi"], "wasi_preview1");
    let read = echo["imports"].as_array().expect("a list").iter().find(|import| import["name"] == "fd_read");
    let read = read.expect("echo reads");
    assert_eq!(
        *read,
        json!({"module": "wasi_snapshot_preview1", "name": "fd_read", "type": "(func (param i32 i32 i32 i32) (result i32))"})
    );
}

#[tokio::test]
async fn a_module_is_found_by_each_kind_of_reference() {
    let server = TestServer::start().await;
    let first = server.upload("tool", tiny(1)).await.ok(201);
    let second = server.upload("tool", tiny(2)).await.ok(201);
    let (id, hash) = (first["id"].as_str().expect("an id"), first["sha256"].as_str().expect("a hash"));
    let old = [
        id.to_owned(),
        id.to_uppercase(),
        "tool@1".into(),
        format!("tool@sha256:{hash}"),
        format!("tool@sha256:{}", hash.to_uppercase()),
    ];
    for reference in old {
        assert_eq!(server.get(&format!("{MODULES}/{reference}")).await.ok(200)["id"], first["id"], "{reference}");
    }
    for reference in ["tool", "tool@2", "tool%402"] {
        assert_eq!(server.get(&format!("{MODULES}/{reference}")).await.ok(200)["id"], second["id"], "{reference}");
    }
    let missing = [
        "nothing".to_owned(),
        "tool@3".into(),
        "tool@0".into(),
        "Tool".into(),
        format!("hello@sha256:{hash}"),
        "01890000-0000-7000-8000-000000000000".into(),
    ];
    for reference in missing {
        server.get(&format!("{MODULES}/{reference}")).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_bad_reference_says_what_would_be_right_wherever_it_is() {
    let server = TestServer::start().await;
    for reference in
        ["@", "a@", "a@b", "a@-1", "a@99999999999", "a@sha256:12", "a b", "-a", &"x".repeat(65), &"x".repeat(5000)]
    {
        for path in ["", "/content", "/explain"] {
            let answer = server.get(&format!("{MODULES}/{reference}{path}")).await;
            answer.blames(422, "invalid_input", "module", "write a name");
            assert!(answer.body.len() < 2000, "a long reference is not repeated whole");
        }
        for path in ["execute", "run"] {
            let answer =
                server.send(server.request(reqwest::Method::POST, &format!("{MODULES}/{reference}/{path}"))).await;
            answer.blames(422, "invalid_input", "module", "write a name");
        }
        let answer = server.post("/api/wasm/execute", &json!({"module": reference})).await;
        answer.blames(422, "invalid_input", "module", "write a name");
        server.get(&format!("/api/executions?module={reference}")).await.blames(
            422,
            "invalid_input",
            "module",
            "write a name",
        );
    }
}

#[tokio::test]
async fn somebody_elses_private_module_is_not_there_in_any_way() {
    let server = TestServer::builder().with_login().start().await;
    let (ada, bob) = (server.new_user("ada", "pro").await, server.new_user("bob", "pro").await);
    let hers = ada.upload("secret", tiny(1)).await.ok(201);
    let id = hers["id"].as_str().expect("an id");
    let hash = hers["sha256"].as_str().expect("a hash");
    for reference in [id.to_owned(), "secret".into(), "secret@1".into(), format!("secret@sha256:{hash}")] {
        for other in [&bob, &*server] {
            for path in ["", "/content", "/explain"] {
                other.get(&format!("{MODULES}/{reference}{path}")).await.problem(404, "not_found");
            }
            for path in ["/execute", "/run"] {
                other.post(&format!("{MODULES}/{reference}{path}"), &json!({})).await.problem(404, "not_found");
            }
            other.post("/api/wasm/execute", &json!({"module": reference})).await.problem(404, "not_found");
            other.get(&format!("/api/executions?module={reference}")).await.problem(404, "not_found");
        }
    }
    bob.delete(&format!("{MODULES}/{id}")).await.problem(404, "not_found");
    let nobodys = bob.get(&format!("{MODULES}/secre7")).await.problem(404, "not_found");
    let hers = bob.get(&format!("{MODULES}/secret")).await.problem(404, "not_found");
    let detail = |problem: &serde_json::Value| problem["detail"].as_str().expect("text").replace("secre7", "secret");
    assert_eq!(detail(&nobodys), detail(&hers), "nothing tells that it is there");
}

#[tokio::test]
async fn somebody_elses_public_module_is_used_by_its_id_and_not_changed() {
    let server = TestServer::builder().with_login().start().await;
    let (ada, bob) = (server.new_user("ada", "pro").await, server.new_user("bob", "pro").await);
    let module = ada.upload_with("open", tiny(7), &[("visibility", "public")]).await.ok(201);
    ada.upload_with("open", tiny(8), &[]).await.ok(201);
    let id = module["id"].as_str().expect("an id");
    let seen = bob.get(&format!("{MODULES}/{id}")).await.ok(200);
    assert_eq!(seen["owner"], "other");
    assert_eq!(seen["versions"].as_array().map(Vec::len), Some(1), "her private version is not told: {seen}");
    let run = bob.execute(id, json!({"entrypoint": {"function": "f"}})).await;
    assert_eq!(run["results"], json!([7]));
    bob.get(&format!("{MODULES}/open")).await.problem(404, "not_found");
    bob.delete(&format!("{MODULES}/{id}")).await.problem(404, "not_found");
    let record = run["id"].as_str().expect("an id");
    bob.get(&format!("/api/executions/{record}")).await.ok(200);
    ada.get(&format!("/api/executions/{record}")).await.problem(404, "not_found");
}
