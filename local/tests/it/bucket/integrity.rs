//! What is stored is what was meant: checksums, hashes and lengths.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::raw::{outcome, signed};
use super::server::{BUCKET, Server, bytes, refusal, refused};

const SHA256_OF_HELLO: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
const TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

#[tokio::test]
async fn every_algorithm_is_kept_and_shown() {
    let server = Server::start().await;
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] {
        let put = server.client.put_object().bucket(BUCKET).key(algorithm).body(bytes("hello"));
        put.checksum_algorithm(ChecksumAlgorithm::from(algorithm)).send().await.unwrap();
        // The SDK verifies what the answer claims while it reads.
        let get = server.client.get_object().bucket(BUCKET).key(algorithm).checksum_mode(ChecksumMode::Enabled);
        let got = get.send().await.unwrap();
        let sums = [
            got.checksum_crc32(),
            got.checksum_crc32_c(),
            got.checksum_crc64_nvme(),
            got.checksum_sha1(),
            got.checksum_sha256(),
        ];
        assert_eq!(sums.iter().flatten().count(), 1, "{algorithm}: {sums:?}");
        assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
    }
}

#[tokio::test]
async fn wrong_checksums_are_refused() {
    let server = Server::start().await;
    let put = || server.client.put_object().bucket(BUCKET).key("k").body(bytes("hello"));
    let wrong_sha = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(refusal(put().checksum_sha256(wrong_sha).send().await), refused(400, "BadDigest"));
    assert_eq!(refusal(put().checksum_crc32("AAAAAA==").send().await), refused(400, "BadDigest"));
    assert_eq!(refusal(put().checksum_crc32_c("AAAAAA==").send().await), refused(400, "BadDigest"));
    assert_eq!(refusal(put().checksum_crc64_nvme("AAAAAAAAAAA=").send().await), refused(400, "BadDigest"));
    assert_eq!(refusal(put().checksum_sha1("2jmj7l5rSw0yVb/vlWAYkK/YBwk=").send().await), refused(400, "BadDigest"));
    assert_eq!(refusal(put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await), refused(400, "BadDigest"));
    assert_eq!(refusal(put().content_md5("short").send().await), refused(400, "InvalidDigest"));
    assert!(server.keys().await.is_empty());
    put().checksum_sha256(SHA256_OF_HELLO).content_md5("XUFAKrxLKna5cZ2REBfFkg==").send().await.unwrap();
}

#[tokio::test]
async fn the_signed_hash_covers_the_body() {
    let server = Server::start().await;
    let of_hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let put = |body: &'static str| signed(&server, Method::PUT, "k", of_hello, &[]).body(body).send();
    assert_eq!(outcome(put("hullo").await.unwrap()).await, refused(400, "XAmzContentSHA256Mismatch"));
    assert!(server.keys().await.is_empty());
    assert_eq!(outcome(put("hello").await.unwrap()).await.0, 200);
}

#[tokio::test]
async fn trailers_are_verified() {
    let server = Server::start().await;
    let put = |checksum: &str| {
        let headers = [
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-sha256"),
        ];
        let body = format!("5\r\nhello\r\n0\r\nx-amz-checksum-sha256:{checksum}\r\n\r\n");
        signed(&server, Method::PUT, "k", TRAILER, &headers).body(body).send()
    };
    let wrong = put("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=").await.unwrap();
    assert_eq!(outcome(wrong).await, refused(400, "BadDigest"));
    assert!(server.keys().await.is_empty());
    let right = put(SHA256_OF_HELLO).await.unwrap();
    assert_eq!(right.headers()["x-amz-checksum-sha256"], SHA256_OF_HELLO);
    let head = server.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!((head.content_length(), head.content_encoding()), (Some(5), None));
}

#[tokio::test]
async fn the_length_is_what_was_said() {
    let server = Server::start().await;
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "6"),
        ("x-amz-trailer", "x-amz-checksum-sha256"),
    ];
    let body = format!("5\r\nhello\r\n0\r\nx-amz-checksum-sha256:{SHA256_OF_HELLO}\r\n\r\n");
    let short = signed(&server, Method::PUT, "k", TRAILER, &headers).body(body).send().await.unwrap();
    assert_eq!(outcome(short).await, refused(400, "IncompleteBody"));

    let chunked = signed(&server, Method::PUT, "k", "UNSIGNED-PAYLOAD", &[]).build().unwrap();
    let answer = over_tcp(&server, &chunked, "transfer-encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");

    // A client that hangs up halfway leaves nothing.
    let half = signed(&server, Method::PUT, "k", "UNSIGNED-PAYLOAD", &[]).build().unwrap();
    over_tcp(&server, &half, "content-length: 5\r\n", "hel").await;
    assert!(server.keys().await.is_empty());
    assert_eq!(std::fs::read_dir(server.folder().join(BUCKET).join("tmp")).unwrap().count(), 0);
}

/// Sends exactly these bytes, closes the sending side, and reads until the server closes too.
async fn over_tcp(server: &Server, request: &reqwest::Request, framing: &str, body: &str) -> String {
    let host = server.origin.trim_start_matches("http://");
    let mut text = format!("PUT {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{framing}", request.url().path());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
