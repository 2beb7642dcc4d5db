//! Nothing of the host and nothing of other tenants is visible to a guest.

use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn a_guest_sees_the_environment_and_arguments_of_its_invocation_and_no_others() {
    let server = TestServer::start().await;
    server.upload_guest("hostile/env_peek").await;
    let bare = server.execute("env_peek", json!({})).await;
    let stdout = bare["stdout"].as_str().expect("text");
    for word in ["PATH", "HOME", "WASMWIZ", "CARGO"] {
        assert!(!stdout.contains(word), "{stdout}");
    }
    let given = server.execute("env_peek", json!({"env": {"GREETING": "hello"}, "args": ["--flag"]})).await;
    let stdout = given["stdout"].as_str().expect("text");
    assert!(stdout.contains("GREETING=hello") && stdout.contains("--flag"), "{stdout}");
}

#[tokio::test]
async fn what_one_tenant_left_in_memory_is_not_there_for_the_next() {
    let server = TestServer::start().await;
    server.upload_guest("hostile/secret_writer").await;
    server.upload_guest("hostile/secret_seeker").await;
    for _ in 0..20 {
        assert_eq!(server.execute("secret_writer", json!({})).await["status"], "succeeded");
        let seeker = server.execute("secret_seeker", json!({})).await;
        assert_eq!(seeker["stdout"], "clean\n", "{seeker}");
    }
}

#[tokio::test]
async fn files_of_one_execution_are_gone_in_the_next() {
    let server = TestServer::start().await;
    server.upload_guest("features/rust_hello_fs").await;
    for _ in 0..3 {
        // It makes directories and files that would be in its way the second time.
        let execution = server.execute("rust_hello_fs", json!({})).await;
        assert_eq!(execution["status"], "succeeded", "{execution}");
    }
}
