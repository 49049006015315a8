//! The adapter in a real process, seen as the platform sees it: by HTTP, and by the messages on its socket.
#![expect(clippy::expect_used, reason = "what fails here fails a test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use serde_json::Value;

#[test]
fn a_body_of_any_type_streams_and_the_invocation_ends_after_it() {
    let mut function = Function::start();
    let mut stream = function.get("/stream", 1);
    read_to("first\n", &mut stream);

    let ping = text(&mut function.get("/ping", 2));
    assert!(ping.contains("content-length: 4\r\n") && ping.ends_with("pong"), "{ping}");
    assert_eq!(function.next_end(), 2, "the stream is open, so its invocation must not have ended before the ping's");

    text(&mut function.get("/open", 3));
    assert!(text(&mut stream).contains("last\n"));
    let mut ends = [function.next_end(), function.next_end()];
    ends.sort_unstable();
    assert_eq!(ends, [1, 3]);
}

#[test]
fn a_handler_reaches_the_platforms_wait_until() {
    // By itself, and through what an answer leaves behind that nobody reads any more.
    for path in ["/later", "/left"] {
        let mut function = Function::start();
        assert!(text(&mut function.get(path, 1)).starts_with("HTTP/1.1 202"));
        text(&mut function.get("/ping", 2));
        assert_eq!(function.next_end(), 2, "the work of the first request goes on after its answer");

        text(&mut function.get("/open", 3));
        let mut ends = [function.next_end(), function.next_end()];
        ends.sort_unstable();
        assert_eq!(ends, [1, 3], "{path}");
    }
}

struct Function {
    process: Child,
    messages: BufReader<UnixStream>,
    port: u16,
}

impl Function {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the socket");
        let socket = folder.path().join("platform.sock");
        let listener = UnixListener::bind(&socket).expect("the socket");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let process = Command::new(gated())
            .env("VERCEL_IPC_PATH", &socket)
            .env("VERCEL_DEV_PORT", port.to_string())
            .spawn()
            .expect("the function starts");
        let (platform, _) = listener.accept().expect("the function connects");
        platform.set_read_timeout(Some(Duration::from_secs(30))).expect("a deadline");
        let mut function = Self { process, messages: BufReader::new(platform), port };
        assert_eq!(function.next_message()["type"], "server-started");
        function
    }

    fn get(&self, path: &str, request: u64) -> TcpStream {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a deadline");
        let ids = format!("x-vercel-internal-invocation-id: i{request}\r\nx-vercel-internal-request-id: {request}\r\n");
        write!(connection, "GET {path} HTTP/1.1\r\nhost: docent\r\nconnection: close\r\n{ids}\r\n").expect("sent");
        connection
    }

    fn next_end(&mut self) -> u64 {
        let message = self.next_message();
        assert_eq!(message["type"], "end", "{message}");
        message["payload"]["context"]["requestId"].as_u64().expect("the request's number")
    }

    fn next_message(&mut self) -> Value {
        let mut message = Vec::new();
        self.messages.read_until(0, &mut message).expect("a message within the deadline");
        serde_json::from_slice(message.strip_suffix(&[0]).unwrap_or(&message)).expect("a message is JSON")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn gated() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    test.ancestors().nth(2).expect("the folder of the profile").join("examples/gated")
}

/// Reads byte by byte, so that nothing of what follows is lost in a buffer.
fn read_to(end: &str, connection: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let mut byte = [0];
        connection.read_exact(&mut byte).expect("more of the answer");
        read.extend(byte);
    }
}

fn text(connection: &mut TcpStream) -> String {
    let mut text = String::new();
    connection.read_to_string(&mut text).expect("an answer");
    text
}
