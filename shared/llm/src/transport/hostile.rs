//! Whatever a tenant writes as a base URL, this process opens no connection into a denied range. That is seen from
//! outside: the two tests that call out run again under strace, where every `connect` of theirs is on record.

mod urls;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::{Dialect, KeyCheck};

/// Public, and assigned to nobody (<https://www.iana.org/assignments/ipv6-unicast-address-assignments>): a connection
/// there disturbs no one, and its attempt shows that the trace would show others.
const NOBODY: &str = "2d00::1";
const CANARY: &str = "sk-canary-0123456789";

/// A resolver under the attacker's control. `only-7f000001` is that address, `mixed-…` is a public one too, and
/// `rebind-…` is a public one when asked first and that address ever after.
fn attackers(name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    static ASKED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());
    Box::pin(async move {
        let label = name.split('.').next().unwrap_or_default();
        let (how, hex) = label.split_once('-').ok_or(io::ErrorKind::NotFound)?;
        let target = match u128::from_str_radix(hex, 16).map_err(|_| io::ErrorKind::NotFound)? {
            bits if hex.len() == 8 => IpAddr::from((bits as u32).to_be_bytes()),
            bits => IpAddr::from(bits.to_be_bytes()),
        };
        let times = *ASKED.lock().unwrap().entry(name.clone()).and_modify(|times| *times += 1).or_default();
        let nobody = NOBODY.parse().unwrap();
        let found = match how {
            "only" => vec![target],
            "mixed" => vec![target, nobody, target],
            "rebind" if times == 0 => vec![nobody],
            _ => vec![target],
        };
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    })
}

fn transport(allow_loopback: bool) -> Transport {
    // Nobody answers for long where nobody is.
    let limits = Limits { allow_loopback, connect: Duration::from_millis(20), ..Limits::default() };
    let client = OnceLock::from(build(&limits, attackers).unwrap());
    // Each of many thousand failures is one to be seen.
    let limits = Limits { retries: 0, breaker_faults: 0, ..limits };
    Transport { shared: Arc::new(Shared { breakers: Breakers::new(limits.breaker_faults), limits, client }) }
}

/// Calls the address in the ways that there are, and wants each to fail without a word about the key.
async fn refused(transport: &Transport, url: &str) {
    let Ok(url) = url.parse::<crate::Url>() else { return };
    let key = || Some(CANARY.to_owned().into());
    let endpoint =
        Endpoint { dialect: Dialect::OpenAi, key_check: KeyCheck::Models, base_url: url.clone(), key: key() };
    let fetched = transport.fetch(Fetch { url: url.clone(), body: None, bearer: key() }).await.map(drop);
    let download = Download { url: url.clone(), etag: None, largest: 1 << 20 };
    let downloaded = transport.download(&download).await.map(drop);
    let told = Notice { url: url.clone(), headers: vec![("webhook-id", CANARY.to_owned())], body: Vec::new() };
    let told = transport.notify(told).await.map(drop);
    let asked = [transport.models(&endpoint).await.map(drop), transport.check(&endpoint).await.map(drop)];
    for outcome in asked.into_iter().chain([fetched, downloaded, told]) {
        let error = outcome.expect_err(url.as_str());
        assert!(matches!(error.kind(), ErrorKind::Endpoint | ErrorKind::Unavailable | ErrorKind::Timeout), "{url}");
        assert!(!format!("{error:?} {error}").contains("canary"), "{url}");
    }
}

#[tokio::test]
async fn hostile_urls_reach_nobody() {
    let hostile = urls::hostile();
    assert!(hostile.len() >= 500, "{} URLs", hostile.len());
    for allow_loopback in [false, true] {
        let transport = transport(allow_loopback);
        for url in hostile.iter().filter(|_| !allow_loopback) {
            refused(&transport, url).await;
        }
        let v4 = urls::TARGETS.iter().map(|target| format!("{:08x}", target.to_bits()));
        let v6 = ["::1", "fd00:ec2::254", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"]
            .map(|target| format!("{:032x}", target.parse::<std::net::Ipv6Addr>().unwrap().to_bits()));
        for target in v4.chain(v6) {
            for how in ["only", "mixed", "rebind"] {
                refused(&transport, &format!("https://{how}-{target}.{allow_loopback}.example/v1")).await;
            }
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let transport = Transport::new(Limits { allow_loopback: true, ..Limits::default() });
    let mut seen = 0;
    let headers = urls::TARGETS.iter().flat_map(|target| {
        ["http", "https"]
            .map(|scheme| format!("location: {scheme}://{target}/latest\r\nrefresh: 0;url=http://{target}"))
    });
    for headers in headers.chain(["location: //127.0.0.1/".to_owned(), "location: https://[::1]/".to_owned()]) {
        for status in [301, 302, 303, 307, 308, 200] {
            let server = async {
                for _ in 0..3 {
                    let (mut socket, _) = listener.accept().await.unwrap();
                    assert!(socket.read(&mut [0; 4096]).await.unwrap() > 0);
                    let head =
                        format!("HTTP/1.1 {status} Go\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n\r\n");
                    socket.write_all(head.as_bytes()).await.unwrap();
                    seen += 1;
                }
            };
            let client = async {
                let url: crate::Url = base.parse().unwrap();
                let endpoint = Endpoint {
                    dialect: Dialect::OpenAi,
                    key_check: KeyCheck::Models,
                    base_url: url.clone(),
                    key: None,
                };
                assert_eq!(transport.models(&endpoint).await.unwrap_err().code(), "provider_protocol");
                assert_eq!(transport.check(&endpoint).await.unwrap_err().code(), "provider_protocol");
                let fetched = transport.fetch(Fetch { url, body: None, bearer: None }).await;
                assert_eq!(fetched.unwrap_err().code(), "provider_protocol");
            };
            tokio::join!(server, client);
        }
    }
    assert_eq!(seen, (urls::TARGETS.len() * 2 + 2) * 6 * 3);
}

/// The destinations of every `connect` that a test of this binary makes, as the kernel was asked for them.
fn connects_of(test: &str) -> BTreeSet<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=connect", "-o"]).arg(&trace).arg(std::env::current_exe().unwrap());
    let ran = strace.args(["--exact", &format!("transport::hostile::{test}")]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let text = std::fs::read_to_string(&trace).unwrap();
    let between = |line: &str, start: &str, end: &str| -> Option<String> {
        Some(line.split_once(start)?.1.split_once(end)?.0.to_owned())
    };
    let network = text.lines().filter(|line| line.contains("connect(") && line.contains("AF_INET"));
    network
        .map(|line| {
            let address = between(line, "inet_addr(\"", "\"").or_else(|| between(line, "inet_pton(AF_INET6, \"", "\""));
            (address.expect(line), between(line, "port=htons(", ")").expect(line))
        })
        .collect()
}

/// Both runs have a connection that must be seen, so an empty trace fails as a forbidden one does.
#[test]
fn seen_from_outside_no_connection_goes_into_a_denied_range() {
    let able = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !able.is_ok_and(|status| status.success()) {
        let line = "not run: the connects to denied ranges, seen from outside (needs strace and the right to trace)\n";
        return std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(connects_of("hostile_urls_reach_nobody"), BTreeSet::from([(NOBODY.to_owned(), "443".to_owned())]));

    let redirecting = connects_of("redirects_are_not_followed");
    assert_eq!(redirecting.len(), 1, "only the server that redirects: {redirecting:?}");
    let (address, port) = redirecting.first().unwrap();
    assert!(address == "127.0.0.1" && port.parse::<u16>().unwrap() > 1024, "{redirecting:?}");
}
