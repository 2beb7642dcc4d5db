//! Bytes that are no module, or hardly one, never hurt the server.

use futures::{StreamExt, stream};

use crate::support::{TestServer, guest};

/// A small generator (xorshift64*, Vigna 2016), so that a failing case can be made again from its number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }
}

/// Change some bytes of a real module, cut it, or repeat a part of it.
fn mutate(module: &[u8], case: u64) -> Vec<u8> {
    let mut dice = Dice(case.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut bytes = module.to_vec();
    for _ in 0..=dice.roll(8) {
        let at = dice.roll(bytes.len());
        match dice.roll(5) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] = 0xff,
            2 => {
                let end = (at + dice.roll(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes[at] = dice.roll(256) as u8,
        }
    }
    bytes
}

#[tokio::test]
async fn ten_thousand_damaged_modules_are_answered_and_the_server_lives() {
    let server = TestServer::builder().with("[executor.wasmer.compile]\ntimeout_ms = 2000").start().await;
    let paths = ["samples/echo", "samples/hello", "features/reactor", "features/simd_sum", "features/wasix_hello"];
    let modules: Vec<_> = paths.iter().map(|path| guest(path)).collect();
    let uploads = stream::iter(0..10_000_u64).map(|case| {
        let bytes = mutate(&modules[case as usize % modules.len()], case);
        let server = &server;
        async move {
            let answer = server.upload("damaged", bytes).await;
            assert!([200, 201, 422].contains(&answer.status.as_u16()), "case {case}: {}", answer.text());
            if answer.status == 422 {
                let problem = answer.problem(422, "invalid_module");
                assert!(problem["errors"][0]["message"].is_string(), "case {case}: {problem}");
                return None;
            }
            answer.json()["id"].as_str().map(str::to_owned)
        }
    });
    let valid: Vec<String> = uploads.buffer_unordered(16).filter_map(async |id| id).collect().await;
    assert!(!valid.is_empty(), "some damage is harmless");
    // What is still valid runs, however badly.
    let runs = stream::iter(valid.into_iter().take(60)).map(|id| {
        let server = &server;
        async move {
            let body = serde_json::json!({"limits": {"timeout_ms": 200}});
            let answer = server.post(&format!("/api/wasm/modules/{id}/execute"), &body).await;
            assert!([200, 422].contains(&answer.status.as_u16()), "{id}: {}", answer.text());
            if answer.status == 200 {
                assert_ne!(answer.json()["status"], "internal_error", "{id}: {}", answer.text());
            }
        }
    });
    runs.buffer_unordered(4).collect::<Vec<()>>().await;
    assert_eq!(server.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn what_is_no_module_is_refused_with_what_is_wrong_and_where() {
    let server = TestServer::start().await;
    let cases: [(&[u8], &str); 4] = [
        (b"\x7fELF\x02", "7f 45 4c 46"),
        (b"\0asm\x02\0\0\0", "byte 4"),
        (b"\0asm\x01\0\0\0\x01\x05", "byte 10"),
        (b"(module (func (result i32)))", "byte"),
    ];
    for (bytes, expected) in cases {
        let problem = server.upload("wrong", bytes.to_vec()).await.problem(422, "invalid_module");
        assert!(problem.to_string().contains(expected), "{expected}: {problem}");
    }
}
