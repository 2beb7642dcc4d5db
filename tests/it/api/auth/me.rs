//! `GET /api/auth/me`

use serde_json::json;

use crate::support::{TestServer, assert_fields};

#[tokio::test]
async fn a_caller_is_told_who_they_are_and_what_they_may_use() {
    let server = TestServer::builder().with_login().start().await;
    let ada = server.new_user("ada@example.org", "basic").await;
    let me = ada.get("/api/auth/me").await.ok(200);
    assert_fields(
        &me,
        &[
            "user_id",
            "user_name",
            "key_id",
            "provider",
            "role",
            "scopes",
            "tier",
            "concurrent_executions",
            "limits",
            "quota",
        ],
    );
    assert_eq!(me["user_name"], "ada@example.org");
    assert_eq!((&me["role"], &me["tier"], &me["provider"]), (&json!("user"), &json!("basic"), &json!("api_key")));
    assert_eq!(me["scopes"], json!(["modules:read", "modules:write", "execute", "keys"]));
    assert_eq!(me["concurrent_executions"], 8);
    assert_fields(
        &me["limits"],
        &["timeout_ms", "memory_bytes", "output_bytes", "file_bytes", "file_entries", "open_files"],
    );
    assert_eq!(me["limits"]["timeout_ms"], json!({"value": 5000, "source": "tier"}));
    assert_eq!(me["limits"]["memory_bytes"], json!({"value": 134_217_728, "source": "tier"}));
    assert_fields(&me["quota"], &["limit", "remaining", "reset_ms"]);
    let admin = server.get("/api/auth/me").await.ok(200);
    assert_eq!((&admin["user_name"], &admin["role"]), (&json!("admin"), &json!("admin")));
    assert_ne!(admin["user_id"], me["user_id"]);
}

#[tokio::test]
async fn any_good_credential_will_do() {
    let server = TestServer::builder().with_login().start().await;
    for scope in ["modules:read", "modules:write", "execute", "keys", "admin"] {
        let body = json!({"name": scope, "scopes": [scope], "role": "admin"});
        let key = server.post("/api/auth/keys", &body).await.ok(201);
        let me = server.with_key(key["secret"].as_str().expect("a secret")).get("/api/auth/me").await.ok(200);
        assert_eq!(me["scopes"], json!([scope]));
    }
}
