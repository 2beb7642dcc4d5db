//! The rate limit, and what is said of it.

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, TestServer};

const FREE: &str = "[policy.tiered.tiers.free]\nrequests_per_minute = 20";

fn number(answer: &Answer, name: &str) -> u64 {
    answer.header(name).parse().unwrap_or_else(|_| panic!("{name} is no number: {answer:?}"))
}

#[tokio::test]
async fn every_counted_answer_says_what_is_left_and_a_refused_one_when_to_come_back() {
    let server = TestServer::builder().with_login().with(FREE).start().await;
    let ada = server.new_user("ada", "free").await;
    let first = ada.get("/api/auth/me").await;
    first.ok(200);
    assert_eq!((number(&first, "ratelimit-limit"), number(&first, "ratelimit-remaining")), (20, 19));
    assert!((1..=4).contains(&number(&first, "ratelimit-reset")), "{first:?}");
    let second = ada.get("/api/wasm/modules/nothing").await;
    second.problem(404, "not_found");
    assert!(number(&second, "ratelimit-remaining") <= 19, "errors count, too");
    let refused = loop {
        let answer = ada.get("/api/wasm/modules").await;
        if answer.status != 200 {
            break answer;
        }
    };
    let problem = refused.problem(429, "rate_limited");
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("free") && detail.contains("20")),
        "{problem}"
    );
    assert_eq!((number(&refused, "ratelimit-limit"), number(&refused, "ratelimit-remaining")), (20, 0));
    assert!((55..=61).contains(&number(&refused, "ratelimit-reset")), "{refused:?}");
    let wait = number(&refused, "retry-after");
    assert!((1..=4).contains(&wait), "{refused:?}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    ada.get("/api/wasm/modules").await.ok(200);
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("wasmwiz_rate_limited_total "), "{metrics}");
    assert!(!metrics.contains("wasmwiz_rate_limited_total 0\n"), "{metrics}");
}

#[tokio::test]
async fn one_key_does_not_use_up_anothers_quota_and_its_body_is_not_even_read() {
    let server = TestServer::builder().with_login().with(FREE).start().await;
    let (ada, bob) = (server.new_user("ada", "free").await, server.new_user("bob", "free").await);
    let other = ada.post("/api/auth/keys", &json!({"name": "other"})).await.ok(201);
    let other = ada.with_key(other["secret"].as_str().expect("a secret"));
    while ada.get("/api/auth/me").await.status == 200 {}
    ada.upload("big", vec![0; 1 << 20]).await.problem(429, "rate_limited");
    bob.get("/api/auth/me").await.ok(200);
    other.get("/api/auth/me").await.ok(200);
}

#[tokio::test]
async fn what_operators_ask_is_not_counted() {
    let server = TestServer::builder().with_login().with(FREE).start().await;
    let nobody = server.anonymous();
    for _ in 0..30 {
        for path in ["/health", "/health/ready", "/metrics", "/openapi.json"] {
            let answer = nobody.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.headers.get("ratelimit-limit").is_none(), "{path}");
        }
    }
}

#[tokio::test]
async fn a_tier_without_limit_is_not_counted_down() {
    let server = TestServer::start().await;
    let answer = server.get("/api/auth/me").await;
    assert_eq!(answer.ok(200)["quota"]["limit"], 0);
    assert!(answer.headers.get("ratelimit-limit").is_none(), "{answer:?}");
}

#[tokio::test]
async fn me_tells_what_is_left_and_says_the_same_as_the_headers() {
    let server = TestServer::builder().with_login().with(FREE).start().await;
    let ada = server.new_user("ada", "free").await;
    let answer = ada.get("/api/auth/me").await;
    let quota = &answer.ok(200)["quota"];
    assert_eq!(quota["limit"], 20);
    assert_eq!(quota["remaining"].as_u64(), Some(number(&answer, "ratelimit-remaining")));
    assert!(quota["reset_ms"].as_u64().is_some_and(|reset| (1..=4000).contains(&reset)), "{quota}");
}
