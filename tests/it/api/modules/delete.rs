//! `DELETE /api/wasm/modules/{module}`

use serde_json::json;

use crate::support::{TestServer, items};

const MODULES: &str = "/api/wasm/modules";

fn tiny(number: u32) -> Vec<u8> {
    format!("(module (func (export \"f\") (result i32) (i32.const {number})))").into_bytes()
}

#[tokio::test]
async fn a_deleted_version_is_gone_and_its_number_is_not_used_again() {
    let server = TestServer::start().await;
    server.upload("tool", tiny(1)).await.ok(201);
    let second = server.upload("tool", tiny(2)).await.ok(201);
    let ran = server.execute("tool", json!({"entrypoint": {"function": "f"}})).await;
    let path = format!("{MODULES}/{}", second["id"].as_str().expect("an id"));
    let deleted = server.delete(&path).await;
    assert_eq!(deleted.status, 204);
    assert!(deleted.body.is_empty());
    server.delete(&path).await.problem(404, "not_found");
    server.get(&path).await.problem(404, "not_found");
    server.get(&format!("{path}/content")).await.problem(404, "not_found");
    server.post(&format!("{path}/run"), &json!({})).await.problem(404, "not_found");
    server.get(&format!("{MODULES}/tool@2")).await.problem(404, "not_found");
    assert_eq!(server.get(&format!("{MODULES}/tool")).await.ok(200)["version"], 1);
    assert_eq!(items(&server.get(MODULES).await.ok(200)).len(), 1);
    let again = server.upload("tool", tiny(2)).await.ok(201);
    assert_eq!(again["version"], 3, "also the same bytes are a new version");
    assert_ne!(again["id"], second["id"]);
    let record = format!("/api/executions/{}", ran["id"].as_str().expect("an id"));
    assert_eq!(server.get(&record).await.ok(200)["module"]["version"], 2, "what ran is still told");
}

#[tokio::test]
async fn a_module_is_deleted_by_its_id_only() {
    let server = TestServer::start().await;
    let module = server.upload("tool", tiny(1)).await.ok(201);
    for reference in ["tool", "tool@1", "x"] {
        server.delete(&format!("{MODULES}/{reference}")).await.blames(422, "invalid_input", "module", "UUID");
    }
    let sample = server.get(&format!("{MODULES}/hello")).await.ok(200);
    let path = format!("{MODULES}/{}", sample["id"].as_str().expect("an id"));
    server.delete(&path).await.problem(404, "not_found");
    server.delete(&format!("{MODULES}/{}", module["id"].as_str().expect("an id"))).await;
    server.get(&format!("{MODULES}/tool")).await.problem(404, "not_found");
}

#[tokio::test]
async fn the_bytes_of_a_module_that_others_have_too_stay() {
    let server = TestServer::builder().with_login().start().await;
    let (ada, bob) = (server.new_user("ada", "pro").await, server.new_user("bob", "pro").await);
    let hers = ada.upload("tool", tiny(5)).await.ok(201);
    bob.upload("tool", tiny(5)).await.ok(201);
    assert_eq!(ada.delete(&format!("{MODULES}/{}", hers["id"].as_str().expect("an id"))).await.status, 204);
    assert_eq!(bob.execute("tool", json!({"entrypoint": {"function": "f"}})).await["results"], json!([5]));
    assert_eq!(bob.get(&format!("{MODULES}/tool/content")).await.status, 200);
}
