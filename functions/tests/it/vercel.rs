//! A Vercel function as the platform runs it: its own HTTP server on a port that the environment names.
use std::{collections::HashMap, time::Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::{
    door::{PATIENCE, Reply},
    process::{Process, vercel_binary},
};

pub struct Vercel {
    pub process: Process,
    port: u16,
}

impl Vercel {
    pub async fn start(name: &str, environment: &[(&str, &str)]) -> Self {
        let binary = vercel_binary(name).await;
        let mut environment: HashMap<_, _> = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        // Somebody else may take the free port before the function does.
        for _ in 0..3 {
            let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = free.local_addr().expect("an address").port();
            drop(free);
            environment.insert("VERCEL_DEV_PORT".into(), port.to_string());
            let mut process = Process::start(&binary, &environment);
            if timeout(PATIENCE, process.prints("Dev server listening")).await.expect("listening in time") {
                return Self { process, port };
            }
            let status = process.ended().await;
            assert!(process.log().contains("AddrInUse"), "{name} ended with {status}:\n{}", process.log());
        }
        panic!("{name} found no port of its own");
    }

    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let begin = Instant::now();
        let connection = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the function accepts");
        let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await.expect("HTTP");
        let mut driver = JoinSet::new();
        driver.spawn(connection);

        let mut request = http::Request::builder().method(method).uri(path).header("host", "docent.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request");
        let answer = timeout(PATIENCE, sender.send_request(request)).await.expect("an answer in time");
        let (head, mut body) = answer.unwrap_or_else(|error| panic!("{error}:\n{}", self.process.log())).into_parts();
        let mut chunks = Vec::new();
        while let Some(frame) = timeout(PATIENCE, body.frame()).await.expect("the body goes on") {
            if let Ok(data) = frame.expect("the body is whole").into_data() {
                chunks.push((begin.elapsed(), data));
            }
        }
        Reply { status: head.status, headers: head.headers, chunks }
    }
}
