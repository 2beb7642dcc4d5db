//! `GET /api/wasm/modules/{module}/content`

use reqwest::{Method, header};

use crate::support::{TestServer, guest};

const CONTENT: &str = "/api/wasm/modules/mine/content";

#[tokio::test]
async fn what_was_uploaded_comes_back_with_its_hash_as_etag() {
    let server = TestServer::start().await;
    let bytes = guest("samples/wordcount");
    let module = server.upload("mine", bytes.clone()).await.ok(201);
    let answer = server.get(CONTENT).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/wasm");
    assert_eq!(answer.header("etag"), format!("\"{}\"", module["sha256"].as_str().expect("a hash")));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"mine-1.wasm\"");
    assert_eq!(answer.header("content-length"), bytes.len().to_string());
    assert!(answer.body == bytes);
}

#[tokio::test]
async fn who_has_the_bytes_gets_none() {
    let server = TestServer::start().await;
    let module = server.upload("mine", guest("samples/echo")).await.ok(201);
    let etag = format!("\"{}\"", module["sha256"].as_str().expect("a hash"));
    let ask =
        async |tags: &str| server.send(server.request(Method::GET, CONTENT).header(header::IF_NONE_MATCH, tags)).await;
    for tags in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".into()] {
        let answer = ask(&tags).await;
        assert_eq!(answer.status, 304, "{tags}");
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), etag);
    }
    for tags in ["\"other\"", module["sha256"].as_str().expect("a hash"), "", "\"\""] {
        assert_eq!(ask(tags).await.status, 200, "{tags}");
    }
}

#[tokio::test]
async fn bytes_that_changed_on_disk_are_not_given_out_and_an_upload_mends_them() {
    let server = TestServer::start().await;
    let bytes = guest("samples/echo");
    let module = server.upload("mine", bytes.clone()).await.ok(201);
    let hash = module["sha256"].as_str().expect("a hash");
    let file = server.folder().join("data/blobs").join(&hash[..2]).join(&hash[2..4]).join(hash);
    std::fs::write(&file, b"\0asm\x01\0\0\0").expect("the file is there");
    server.get(CONTENT).await.problem(500, "internal_error");
    server.upload("mine", bytes.clone()).await.ok(200);
    assert!(server.get(CONTENT).await.body == bytes);
}
