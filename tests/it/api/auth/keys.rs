//! `POST` and `GET /api/auth/keys`, `DELETE /api/auth/keys/{id}`

use serde_json::{Value, json};

use crate::support::{Client, TestServer, assert_fields, items};

const KEYS: &str = "/api/auth/keys";

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

async fn make(client: &Client, body: Value) -> Value {
    client.post(KEYS, &body).await.ok(201)
}

#[tokio::test]
async fn a_key_is_made_with_its_secret_which_is_shown_this_once() {
    let server = TestServer::builder().with_login().start().await;
    let ada = server.new_user("ada", "basic").await;
    let answer = ada.post(KEYS, &json!({"name": " ci "})).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let key = answer.ok(201);
    assert_fields(&key, &["id", "secret", "name", "prefix", "tier", "role", "scopes", "created_at", "expires_at"]);
    let (secret, prefix) = (text(&key, "secret"), text(&key, "prefix"));
    assert!(secret.starts_with(prefix) && prefix.starts_with("ww_") && prefix.len() < 12, "{key}");
    assert!(wasmwiz_core::api_key::KeySecret::parse(secret).is_some(), "its checksum fits");
    assert_eq!((text(&key, "name"), text(&key, "tier"), text(&key, "role")), ("ci", "basic", "user"));
    let list = ada.get(KEYS).await;
    let page = list.ok(200);
    assert_eq!(items(&page).len(), 2);
    let listed = &items(&page)[0];
    assert_fields(
        listed,
        &["id", "name", "prefix", "tier", "role", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"],
    );
    assert_eq!((&listed["id"], &listed["prefix"]), (&key["id"], &key["prefix"]));
    assert_eq!((&listed["last_used_at"], &listed["revoked_at"]), (&json!(null), &json!(null)));
    let body = &secret[prefix.len()..];
    assert!(!list.text().contains(body), "no secret in a list");
    assert!(!server.log().contains(body), "no secret in the log");
    for entry in std::fs::read_dir(server.folder().join("data")).expect("the data folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!bytes.windows(body.len()).any(|window| window == body.as_bytes()), "{}", entry.path().display());
    }
}

#[tokio::test]
async fn a_key_is_used_until_it_is_revoked() {
    let server = TestServer::builder().with_login().start().await;
    let key = make(&server, json!({"name": "short"})).await;
    let user = server.with_key(text(&key, "secret"));
    user.get("/api/auth/me").await.ok(200);
    let path = format!("{KEYS}/{}", text(&key, "id"));
    assert_eq!(server.delete(&path).await.status, 204);
    user.get("/api/auth/me").await.problem(401, "unauthenticated");
    assert_eq!(server.delete(&path).await.status, 204, "revoking twice is as once");
    let page = server.get(KEYS).await.ok(200);
    let listed = items(&page).iter().find(|listed| listed["id"] == key["id"]).expect("revoked keys are listed");
    assert!(listed["revoked_at"].is_string() && listed["last_used_at"].is_string(), "{listed}");
}

#[tokio::test]
async fn a_key_can_revoke_itself() {
    let server = TestServer::builder().with_login().start().await;
    let key = make(&server, json!({"name": "suicidal"})).await;
    let user = server.with_key(text(&key, "secret"));
    assert_eq!(user.delete(&format!("{KEYS}/{}", text(&key, "id"))).await.status, 204);
    user.get("/api/auth/me").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn somebody_elses_key_is_not_there() {
    let server = TestServer::builder().with_login().start().await;
    let (ada, bob) = (server.new_user("ada", "free").await, server.new_user("bob", "free").await);
    let key = make(&ada, json!({"name": "hers"})).await;
    let path = format!("{KEYS}/{}", text(&key, "id"));
    let theirs = bob.delete(&path).await.problem(404, "not_found");
    let nobodys = bob.delete(&format!("{KEYS}/01890000-0000-7000-8000-000000000000")).await.problem(404, "not_found");
    let plain = |problem: &Value, id: &str| text(problem, "detail").replace(id, "ID");
    assert_eq!(plain(&theirs, text(&key, "id")), plain(&nobodys, "01890000-0000-7000-8000-000000000000"));
    server.delete(&path).await.problem(404, "not_found");
    ada.with_key(text(&key, "secret")).get("/api/auth/me").await.ok(200);
    let page = bob.get(KEYS).await.ok(200);
    assert!(items(&page).iter().all(|listed| listed["name"] == "first"), "{page}");
    bob.delete(&format!("{KEYS}/x")).await.blames(422, "invalid_input", "id", "UUID");
}

#[tokio::test]
async fn nobody_makes_a_key_that_may_more_than_their_own() {
    let server = TestServer::builder().with_login().start().await;
    let ada = server.new_user("ada", "basic").await;
    ada.post(KEYS, &json!({"name": "x", "tier": "pro"})).await.blames(422, "invalid_input", "tier", "free, basic");
    ada.post(KEYS, &json!({"name": "x", "role": "admin"})).await.blames(422, "invalid_input", "role", "`user`");
    ada.post(KEYS, &json!({"name": "x", "scopes": ["admin"]})).await.blames(422, "invalid_input", "scopes", "`admin`");
    let weak = make(&ada, json!({"name": "weak", "tier": "free", "scopes": ["keys", "execute"]})).await;
    let weak = ada.with_key(text(&weak, "secret"));
    weak.post(KEYS, &json!({"name": "x", "tier": "basic"})).await.blames(422, "invalid_input", "tier", "free");
    let answer = weak.post(KEYS, &json!({"name": "x", "scopes": ["modules:write"]})).await;
    answer.blames(422, "invalid_input", "scopes", "modules:write");
    let child = make(&weak, json!({"name": "child"})).await;
    assert_eq!((text(&child, "tier"), &child["scopes"]), ("free", &json!(["execute", "keys"])));
    let no_keys = make(&ada, json!({"name": "x", "scopes": ["execute"]})).await;
    ada.with_key(text(&no_keys, "secret")).post(KEYS, &json!({"name": "x"})).await.problem(403, "forbidden");
}

#[tokio::test]
async fn an_administrators_key_of_the_role_user_is_no_way_back_up() {
    let server = TestServer::builder().with_login().start().await;
    let plain = make(&server, json!({"name": "plain", "tier": "free"})).await;
    assert_eq!(text(&plain, "role"), "user");
    assert!(!plain["scopes"].to_string().contains("admin"), "{plain}");
    let plain = server.with_key(text(&plain, "secret"));
    plain.post(KEYS, &json!({"name": "x", "role": "admin"})).await.blames(422, "invalid_input", "role", "`user`");
    plain.post(KEYS, &json!({"name": "x", "tier": "pro"})).await.blames(422, "invalid_input", "tier", "free");
    plain.get("/api/admin/users").await.problem(403, "forbidden");
    let any_tier = make(&server, json!({"name": "x", "tier": "pro", "role": "admin", "scopes": ["admin"]})).await;
    server.with_key(text(&any_tier, "secret")).get("/api/admin/users").await.ok(200);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_key_is_said_at_once() {
    let server = TestServer::builder().with_login().start().await;
    let body = json!({"name": " ", "tier": "gold", "scopes": [], "expires_at": "2020-01-01T00:00:00Z"});
    let problem = server.post(KEYS, &body).await.problem(422, "invalid_input");
    let mut locations: Vec<_> =
        problem["errors"].as_array().expect("errors").iter().map(|error| text(error, "location")).collect();
    locations.sort_unstable();
    assert_eq!(locations, ["expires_at", "name", "scopes", "tier"]);
    assert!(problem.to_string().contains("free, basic, pro"), "{problem}");
    for name in ["", "   ", "a\nb", "a\u{0}b", &"x".repeat(101)] {
        server.post(KEYS, &json!({"name": name})).await.blames(422, "invalid_input", "name", "1 to 100");
    }
    assert_eq!(text(&make(&server, json!({"name": "ä".repeat(100)})).await, "name"), "ä".repeat(100));
    let far = make(&server, json!({"name": "x", "expires_at": "2999-12-31T23:59:59.5+02:00"})).await;
    assert_eq!(text(&far, "expires_at"), "2999-12-31T21:59:59.500Z");
    let body = json!({"name": "x", "scopes": ["execute", "execute"]});
    assert_eq!(make(&server, body).await["scopes"], json!(["execute"]));
}

#[tokio::test]
async fn keys_are_listed_newest_first_page_by_page() {
    let server = TestServer::builder().with_login().start().await;
    let ada = server.new_user("ada", "pro").await;
    for number in 0..25 {
        make(&ada, json!({"name": format!("key {number}")})).await;
    }
    let (mut names, mut path) = (Vec::new(), format!("{KEYS}?limit=10"));
    loop {
        let page = ada.get(&path).await.ok(200);
        names.extend(items(&page).iter().map(|key| text(key, "name").to_owned()));
        assert!(items(&page).len() <= 10);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{KEYS}?limit=10&cursor={cursor}");
    }
    let mut expected: Vec<_> = (0..25).rev().map(|number| format!("key {number}")).collect();
    expected.push("first".into());
    assert_eq!(names, expected);
}
