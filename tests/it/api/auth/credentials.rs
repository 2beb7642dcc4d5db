//! How a caller says who they are.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use wasmwiz_core::{api_key::KeySecret, system::SystemRandom};

use crate::support::{Answer, TestServer};

const ME: &str = "/api/auth/me";

fn me(server: &TestServer) -> RequestBuilder {
    server.anonymous().request(Method::GET, ME)
}

async fn refused(server: &TestServer, request: RequestBuilder) -> Answer {
    let answer = server.send(request).await;
    answer.problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    answer
}

#[tokio::test]
async fn a_key_is_taken_from_either_header() {
    let server = TestServer::builder().with_login().start().await;
    let key = server.key();
    server.send(me(&server).header("authorization", format!("Bearer {key}"))).await.ok(200);
    server.send(me(&server).header("authorization", format!("bearer {key}"))).await.ok(200);
    server.send(me(&server).header("x-api-key", key)).await.ok(200);
    server.send(me(&server).header("x-api-key", key).bearer_auth(key)).await.ok(200);
}

#[tokio::test]
async fn without_a_credential_nothing_but_the_public_pages_is_answered() {
    let server = TestServer::builder().with_login().start().await;
    let id = "01890000-0000-7000-8000-000000000000";
    let asks = [
        (Method::GET, "/api/auth/me".to_owned()),
        (Method::GET, "/api/auth/keys".to_owned()),
        (Method::POST, "/api/auth/keys".to_owned()),
        (Method::DELETE, format!("/api/auth/keys/{id}")),
        (Method::GET, "/api/admin/users".to_owned()),
        (Method::POST, "/api/admin/users".to_owned()),
        (Method::POST, format!("/api/admin/users/{id}/keys")),
        (Method::POST, "/api/wasm/upload".to_owned()),
        (Method::POST, "/api/wasm/execute".to_owned()),
        (Method::GET, "/api/wasm/modules".to_owned()),
        (Method::GET, "/api/wasm/modules/hello".to_owned()),
        (Method::DELETE, format!("/api/wasm/modules/{id}")),
        (Method::GET, "/api/wasm/modules/hello/content".to_owned()),
        (Method::GET, "/api/wasm/modules/hello/explain".to_owned()),
        (Method::POST, "/api/wasm/modules/hello/execute".to_owned()),
        (Method::POST, "/api/wasm/modules/hello/run".to_owned()),
        (Method::GET, "/api/executions".to_owned()),
        (Method::GET, format!("/api/executions/{id}")),
    ];
    for (method, path) in asks {
        // A body that is wrong as well: who one is comes first.
        refused(&server, server.anonymous().request(method, &path).body("{")).await;
    }
    for path in ["/health", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs"] {
        assert_eq!(server.anonymous().get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_malformed_authorization_is_refused_and_not_repeated() {
    let server = TestServer::builder().with_login().start().await;
    let key = server.key().to_owned();
    let mistyped = format!("{}x", &key[..key.len() - 1]);
    let values = [
        key.clone(),
        "Bearer".to_owned(),
        format!("Bearer {key} {key}"),
        format!("Bearer {}", &key[..20]),
        format!("Bearer {}", key.to_uppercase()),
        format!("Bearer {mistyped}1"),
        format!("Bearer \"{key}\""),
        format!("Token {key}"),
        "Basic YWRtaW46YWRtaW4=".to_owned(),
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.".to_owned(),
        format!("Bearer {}", "x".repeat(10_000)),
        "Bearer ' OR 1=1 --".to_owned(),
    ];
    for value in values {
        let answer = refused(&server, me(&server).header("authorization", &value)).await;
        assert!(!answer.text().contains(&key[..12]), "{value}: {}", answer.text());
    }
    let raw = me(&server).header("x-api-key", &b"ww_\xff\xfe"[..]);
    refused(&server, raw).await;
    assert!(!server.log().contains(&key[..12]), "no part of a key is logged");
}

#[tokio::test]
async fn two_different_credentials_are_refused_rather_than_one_of_them_chosen() {
    let server = TestServer::builder().with_login().start().await;
    let other = KeySecret::generate(&SystemRandom);
    for (one, two) in [(server.key(), other.expose()), (other.expose(), server.key())] {
        let request = me(&server).bearer_auth(one).header("x-api-key", two);
        server.send(request).await.blames(400, "two_credentials", "X-API-Key", "different credentials");
    }
    let twice = me(&server).bearer_auth(server.key()).header("authorization", format!("Bearer {}", other.expose()));
    server.send(twice).await.problem(400, "two_credentials");
}

#[tokio::test]
async fn an_unknown_an_expired_and_a_revoked_key_are_answered_alike() {
    let server = TestServer::builder().with_login().start().await;
    let make = async |body| server.post("/api/auth/keys", &body).await.ok(201);
    let revoked = make(json!({"name": "revoked"})).await;
    let soon = chrono::DateTime::parse_from_rfc3339(revoked["created_at"].as_str().expect("a time")).expect("RFC 3339");
    let soon = soon + chrono::TimeDelta::seconds(3);
    let expiring = make(json!({"name": "expiring", "expires_at": soon.to_rfc3339()})).await;
    let secret = |key: &serde_json::Value| key["secret"].as_str().expect("a secret").to_owned();
    server.with_key(&secret(&revoked)).get(ME).await.ok(200);
    server.with_key(&secret(&expiring)).get(ME).await.ok(200);
    let path = format!("/api/auth/keys/{}", revoked["id"].as_str().expect("an id"));
    assert_eq!(server.delete(&path).await.status, 204);
    // At once, though it was used just now.
    refused(&server, me(&server).bearer_auth(secret(&revoked))).await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let unknown = KeySecret::generate(&SystemRandom).expose().to_owned();
    let mut details = Vec::new();
    for key in [secret(&revoked), secret(&expiring), unknown] {
        let answer = refused(&server, me(&server).bearer_auth(key)).await;
        details.push(answer.json()["detail"].clone());
    }
    assert!(details.iter().all(|detail| *detail == details[0]), "{details:?}");
}

#[tokio::test]
async fn a_development_server_lets_everybody_in_but_not_with_a_key_that_is_none() {
    let server = TestServer::start().await;
    let me = server.get(ME).await.ok(200);
    assert_eq!((&me["user_name"], &me["provider"], &me["key_id"]), (&json!("local"), &json!("none"), &json!(null)));
    let unknown = KeySecret::generate(&SystemRandom);
    server.with_key(unknown.expose()).get(ME).await.problem(401, "unauthenticated");
    server.with_key("password").get(ME).await.problem(401, "unauthenticated");
    let key = server.post("/api/auth/keys", &json!({"name": "own"})).await.ok(201);
    let with_key = server.with_key(key["secret"].as_str().expect("a secret")).get(ME).await.ok(200);
    assert_eq!(with_key["user_id"], me["user_id"]);
    assert_eq!(with_key["key_id"], key["id"]);
}
