//! A connection that says what no well-behaved client would.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::TestServer;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a server, as plain bytes.
pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    /// Connect.
    pub(crate) async fn connect(server: &TestServer) -> Self {
        let address = server.url.strip_prefix("http://").expect("an address");
        Self { stream: TcpStream::connect(address).await.expect("the server listens"), read: Vec::new() }
    }

    /// Write. `false` when the server does not take it any more.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        matches!(timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await, Ok(Ok(())))
    }

    /// Write.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_send(bytes).await, "the server takes what is sent");
    }

    /// Write the head of a request, `Host` included; the last line of `head` needs no line end.
    pub(crate) async fn send_head(&mut self, head: &str) {
        let head = head.trim().lines().map(str::trim).collect::<Vec<_>>().join("\r\n");
        self.send(format!("{head}\r\nHost: localhost\r\n\r\n")).await;
    }

    /// Write a chunk of a chunked body (RFC 9112 section 7.1). `false` when the server does not take it any more.
    pub(crate) async fn send_chunk(&mut self, bytes: &[u8]) -> bool {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.try_send(chunk).await
    }

    /// Read up to and with `end`.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end.as_bytes()) {
                let rest = self.read.split_off(at + end.len());
                return String::from_utf8_lossy(&std::mem::replace(&mut self.read, rest)).into_owned();
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            let read = read.unwrap_or_else(|_| panic!("no `{end}` in time: {}", String::from_utf8_lossy(&self.read)));
            assert!(read.is_ok_and(|count| count > 0), "no `{end}`: {}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Read the head of an answer.
    pub(crate) async fn read_head(&mut self) -> String {
        self.read_until("\r\n\r\n").await
    }

    /// Read one answer whose length is declared: head and body.
    pub(crate) async fn read_answer(&mut self) -> (String, String) {
        let head = self.read_head().await;
        let length = header(&head, "content-length").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
        while self.read.len() < length {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await.expect("the body in time");
            assert!(read.is_ok_and(|count| count > 0), "the body broke off");
        }
        let rest = self.read.split_off(length);
        (head, String::from_utf8_lossy(&std::mem::replace(&mut self.read, rest)).into_owned())
    }

    /// Read to the end of the connection.
    pub(crate) async fn read_to_end(&mut self) -> String {
        loop {
            match timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned(),
                Err(_) => panic!("the server does not close: {}", String::from_utf8_lossy(&self.read)),
            }
        }
    }

    /// Whether the server says or closes anything within a time.
    pub(crate) async fn hears_within(&mut self, time: Duration) -> bool {
        !self.read.is_empty() || timeout(time, self.stream.read_buf(&mut self.read)).await.is_ok()
    }
}

/// A header of a head that was read.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.trim())
}
