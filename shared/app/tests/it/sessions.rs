//! Sessions of people who signed in elsewhere: tokens minted by the real libraries, and issuers that change their keys,
//! fall silent or never were.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::http::Uri;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use docent::auth::Sessions;
use docent::auth::session::{Person, Presented, Refusal};
use docent::clock::Clock;
use docent::config::{self, Environment, IssuerKeys};
use docent_llm::{Limits, Transport};
use futures_util::future::join_all;
use http::StatusCode;
use jiff::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::world::spawn;

fn sessions(environment: &Environment, now: i64) -> Sessions {
    let transport = Transport::new(Limits { allow_loopback: true, ..Limits::default() });
    Sessions::new(config::Sessions::read(environment).unwrap(), transport, at(now))
}

fn at(now: i64) -> Clock {
    Clock::fixed(Timestamp::from_second(now).unwrap())
}

fn refusal(error: &docent::error::Error) -> Refusal {
    *error.source().unwrap().downcast_ref().unwrap()
}

/// What an issuer publishes, how often it was asked, and whether it answers at all.
#[derive(Clone, Default)]
struct Publisher {
    documents: Arc<std::sync::Mutex<BTreeMap<String, Value>>>,
    asked: Arc<AtomicUsize>,
    silent: Arc<AtomicBool>,
}

impl Publisher {
    fn publish(&self, path: &str, document: Value) {
        self.documents.lock().unwrap().insert(path.to_owned(), document);
    }

    async fn serve(&self, port: u16) -> String {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let publisher = self.clone();
        let answer = get(async move |uri: Uri| {
            publisher.asked.fetch_add(1, Ordering::Relaxed);
            let found = publisher.documents.lock().unwrap().get(uri.path()).cloned();
            match found.filter(|_| !publisher.silent.load(Ordering::Relaxed)) {
                Some(document) => Ok(axum::Json(document)),
                None => Err(StatusCode::SERVICE_UNAVAILABLE),
            }
        });
        spawn(async move {
            let _ = axum::serve(listener, Router::new().fallback(answer)).await;
        });
        address
    }
}

/// Reads the file that `node clients/tokens/mint.mjs` wrote and `DOCENT_TOKENS` names: the verdict on each session must
/// be the one that stands beside it. Without the variable it says what was not run.
#[tokio::test]
async fn sessions_minted_by_the_real_libraries_are_judged_rightly() {
    let Some(file) = std::env::var_os("DOCENT_TOKENS") else {
        let line = "not run: sessions_minted_by_the_real_libraries_are_judged_rightly (DOCENT_TOKENS names no file; \
            see clients/tokens/mint.mjs)\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let setup = lines.next().unwrap();
    let publisher = Publisher::default();
    for (path, document) in setup["documents"].as_object().unwrap() {
        publisher.publish(path, document.clone());
    }
    publisher.serve(u16::try_from(setup["port"].as_u64().unwrap()).unwrap()).await;
    let variables = setup["environment"].as_object().unwrap().iter();
    let environment =
        variables.fold(Environment::default(), |all, (name, value)| all.with(name, value.as_str().unwrap()));
    let sessions = sessions(&environment, setup["now"].as_i64().unwrap());

    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    for line in lines {
        let presented = match (line["bearer"].as_str(), line["cookies"].as_str()) {
            (Some(token), None) => Presented::Bearer(token),
            (None, Some(cookies)) => Presented::Cookies(cookies),
            _ => panic!("neither a bearer token nor cookies: {line}"),
        };
        let found = match sessions.verify(presented).await {
            Ok(person) => json!({ "person": shown(&person) }),
            Err(error) => json!({ "reason": refusal(&error).to_string() }),
        };
        let right = match line["expect"].as_str().unwrap() {
            "valid" => found["person"] == line["person"],
            _ => found["reason"].is_string() && (line["reason"].is_null() || found["reason"] == line["reason"]),
        };
        *(if found["person"].is_null() { &mut refused } else { &mut accepted }) += 1;
        if !right {
            wrong.push(format!("{}: {found}, expected {} {}", line["case"], line["person"], line["reason"]));
        }
    }
    let line = format!("sessions: {accepted} accepted, {refused} refused, {} wrong\n", wrong.len());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(wrong.is_empty(), "{} wrong, the first: {:#?}", wrong.len(), &wrong[..wrong.len().min(40)]);
    assert!(accepted >= 1000 && refused >= 1000, "{accepted} accepted and {refused} refused are too few to mean much");
    assert!(publisher.asked.load(Ordering::Relaxed) < 30, "the issuers are asked for their keys again and again");
}

fn shown(person: &Person) -> Value {
    let Person { issuer, subject, organisation, role, .. } = person;
    json!({ "issuer": issuer, "subject": subject, "organisation": organisation, "role": role.as_str() })
}

const NOW: i64 = 1_790_000_000;

/// An issuer with one or several keys, which can be told apart by a number.
struct Issuer {
    name: String,
    publisher: Publisher,
    sessions: Sessions,
}

impl Issuer {
    async fn new() -> Issuer {
        let publisher = Publisher::default();
        let name = publisher.serve(0).await;
        let configuration = json!({ "issuer": name, "jwks_uri": format!("{name}/keys") });
        publisher.publish("/.well-known/openid-configuration", configuration);
        let environment = Environment::default()
            .with("OIDC_ISSUER", &name)
            .with("OIDC_AUDIENCE", "docent")
            .with("ALLOW_LOOPBACK_PROVIDERS", "1");
        let issuer = Issuer { sessions: sessions(&environment, NOW), name, publisher };
        issuer.publish(&[1]);
        issuer
    }

    fn publish(&self, numbers: &[u8]) {
        let key = |number: &u8| {
            let x = URL_SAFE_NO_PAD.encode(pair(*number).public_key().as_ref());
            json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": number.to_string() })
        };
        self.publisher.publish("/keys", json!({ "keys": numbers.iter().map(key).collect::<Vec<_>>() }));
    }

    fn token(&self, number: u8, now: i64) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "alg": "EdDSA", "kid": number.to_string() }));
        let claims = json!({ "iss": self.name, "aud": "docent", "sub": "somebody", "exp": now + 60 });
        let signed = format!("{header}.{}", part(claims));
        let mark = URL_SAFE_NO_PAD.encode(pair(number).sign(signed.as_bytes()));
        format!("{signed}.{mark}")
    }

    async fn judge(&self, number: u8, after: i64) -> Result<(), Refusal> {
        let (now, token) = (NOW + after, self.token(number, NOW + after));
        let sessions = self.sessions.clone().with_clock(at(now));
        sessions.verify(Presented::Bearer(&token)).await.map(|_| ()).map_err(|error| refusal(&error))
    }

    fn asked(&self) -> usize {
        self.publisher.asked.swap(0, Ordering::Relaxed)
    }

    fn silent(&self, silent: bool) {
        self.publisher.silent.store(silent, Ordering::Relaxed);
    }
}

fn pair(number: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap()
}

#[tokio::test]
async fn many_at_once_ask_the_issuer_once() {
    let issuer = Issuer::new().await;
    let verdicts = join_all((0..64).map(|_| issuer.judge(1, 0))).await;
    assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
    assert_eq!(issuer.asked(), 2, "once for the configuration, once for the keys");
}

#[tokio::test]
async fn a_dropped_request_leaves_an_attempt_behind() {
    let issuer = Issuer::new().await;
    let first = issuer.judge(1, 0);
    // Polled once, which sends it on its way, and dropped.
    assert!(futures_util::FutureExt::now_or_never(first).is_none());
    assert_eq!(issuer.judge(1, 9).await, Err(Refusal::Unavailable));
    assert_eq!(issuer.judge(1, 10).await, Ok(()));
}

#[tokio::test]
async fn an_unknown_key_asks_once_a_minute_and_finds_a_new_one() {
    let issuer = Issuer::new().await;
    assert_eq!(issuer.judge(1, 0).await, Ok(()));
    issuer.publish(&[1, 2]);
    issuer.asked();
    for after in [0, 1, 59] {
        assert_eq!(issuer.judge(2, after).await, Err(Refusal::Key));
    }
    assert_eq!(issuer.asked(), 0);
    assert_eq!(issuer.judge(2, 60).await, Ok(()));
    for _ in 0..20 {
        assert_eq!(issuer.judge(3, 61).await, Err(Refusal::Key));
    }
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn keys_outlive_an_outage_of_a_day_and_no_longer() {
    const HOUR: i64 = 3600;
    let issuer = Issuer::new().await;
    issuer.silent(true);
    assert_eq!(issuer.judge(1, 0).await, Err(Refusal::Unavailable), "nothing was ever fetched");
    issuer.silent(false);
    assert_eq!(issuer.judge(1, 5).await, Err(Refusal::Unavailable), "it was asked a moment ago");
    assert_eq!(issuer.judge(1, 10).await, Ok(()));
    issuer.silent(true);
    for after in [HOUR, 2 * HOUR, 23 * HOUR] {
        assert_eq!(issuer.judge(1, after).await, Ok(()), "after {after} s");
    }
    assert_eq!(issuer.judge(1, 25 * HOUR).await, Err(Refusal::Unavailable));
    issuer.silent(false);
    assert_eq!(issuer.judge(1, 26 * HOUR).await, Ok(()));
    issuer.publish(&[2]);
    assert_eq!(issuer.judge(1, 27 * HOUR).await, Err(Refusal::Key), "a withdrawn key");
}

#[tokio::test]
async fn a_configuration_of_another_issuer_is_not_believed() {
    let issuer = Issuer::new().await;
    let wrong = json!({ "issuer": format!("{}/", issuer.name), "jwks_uri": format!("{}/keys", issuer.name) });
    issuer.publisher.publish("/.well-known/openid-configuration", wrong);
    assert_eq!(issuer.judge(1, 0).await, Err(Refusal::Unavailable));
}

#[tokio::test]
async fn refusals_look_alike_and_repeat_nothing() {
    let issuer = Issuer::new().await;
    let expired = issuer.token(1, NOW - 3600);
    let forged = format!("{}x", &issuer.token(1, NOW)[..150]);
    let huge = "canary.".repeat(4000);
    for text in ["canary", "canary.canary.canary", "canary..canary.canary.canary", &expired, &forged, &huge] {
        for presented in [Presented::Bearer(text), Presented::Cookies(&format!("__session={text}"))] {
            let error = issuer.sessions.verify(presented).await.unwrap_err();
            assert_eq!((error.code(), &*error.detail), ("unauthorized", "This needs a valid token."));
            let printed = format!("{error} {error:?}");
            assert!(!printed.contains("canary") && !printed.contains(&text[..6]), "{printed}");
        }
    }
}

#[tokio::test]
async fn a_session_in_the_front_ends_database_is_told_from_a_token() {
    let secret = "a-secret-of-the-front-end";
    let jwt = Environment::default().with("AUTH_SECRET", secret);
    let database = jwt.clone().with("AUTH_SESSIONS", "database");
    let sessions = sessions(&database, NOW);
    let id = "0b5a2e9c-5f0e-4f0e-9a57-2f6d3c1b7a11";
    for name in ["__Secure-authjs.session-token", "authjs.session-token", "next-auth.session-token"] {
        let cookies = format!("a=b; {name}={id}");
        let found = sessions.opaque(Presented::Cookies(&cookies)).unwrap();
        assert_eq!(found.expose_secret(), id);
        assert!(sessions.verify(Presented::Cookies(&cookies)).await.is_err());
        assert!(self::sessions(&jwt, NOW).opaque(Presented::Cookies(&cookies)).is_none());
    }
    for other in ["short", "a.b.c", "....", &"x".repeat(256), "x' or 1=1 -- aaaaaaaaaaa", ""] {
        assert!(sessions.opaque(Presented::Cookies(&format!("authjs.session-token={other}"))).is_none(), "{other}");
    }
    assert!(sessions.opaque(Presented::Cookies(&format!("__session={id}"))).is_none());
    let person = sessions.stored("user-7".to_owned());
    assert_eq!((person.issuer.as_str(), person.group(), person.role.as_str()), ("authjs", "user-7", "owner"));
}

fn read(variables: &[(&str, &str)]) -> Result<config::Sessions, config::Error> {
    config::Sessions::read(&variables.iter().fold(Environment::default(), |all, (name, value)| all.with(name, *value)))
}

#[test]
fn issuers_are_read_from_the_names_that_front_ends_use() {
    let nobody = read(&[]).unwrap();
    assert!(nobody.auth_js.is_none() && nobody.issuers.is_empty());
    let key = format!("pk_test_{}", STANDARD.encode("clerk.example.com$"));
    let parties = ("CLERK_AUTHORIZED_PARTIES", "https://app.example.com native");
    for name in ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"] {
        let read = read(&[(name, &key), parties]).unwrap();
        assert_eq!(read.issuers[0].name, "https://clerk.example.com");
        assert!(matches!(read.issuers[0].keys, IssuerKeys::Published(_)));
    }
    let both =
        read(&[("CLERK_ISSUER", "https://clerk.example.com"), ("CLERK_PUBLISHABLE_KEY", &key), parties]).unwrap();
    assert_eq!(both.issuers.len(), 1);
    let secrets = [
        ("AUTH_SECRET", r#"["the newest of secrets","an older one of them"]"#),
        ("NEXTAUTH_SECRET", "the oldest of secrets"),
    ];
    assert_eq!(read(&secrets).unwrap().auth_js.unwrap().secrets.len(), 3);
    let two = [
        ("OIDC_A_ISSUER", "https://a.example"),
        ("OIDC_A_AZP", "app"),
        ("OIDC_B_ISSUER", "https://b.example/"),
        ("OIDC_B_AUDIENCE", "x,y z"),
    ];
    let two = read(&two).unwrap().issuers;
    assert_eq!((two[0].parties.len(), two[1].audience.len(), two[1].name.as_str()), (1, 3, "https://b.example/"));
}

#[test]
fn what_cannot_work_stops_the_start_and_names_its_variable() {
    let issuer = ("OIDC_ISSUER", "https://i.example");
    let audience = ("OIDC_AUDIENCE", "docent");
    let secret = ("OIDC_SECRET", "a-shared-secret-of-32-characters!");
    let clerk = ("CLERK_ISSUER", "https://clerk.example.com");
    let parties = ("CLERK_AUTHORIZED_PARTIES", "https://app.example.com");
    let auth = ("AUTH_SECRET", "a-secret-of-the-front-end");
    assert!(read(&[issuer, audience, secret]).is_ok() && read(&[clerk, parties]).is_ok());
    for (variables, named) in [
        (vec![issuer], "OIDC_AUDIENCE"),
        (vec![audience], "OIDC_AUDIENCE"),
        (vec![issuer, audience, ("OIDC_X_AUDIENCE", "a")], "OIDC_X_AUDIENCE"),
        (vec![issuer, audience, ("OIDC_X_ISSUER", "https://i.example"), ("OIDC_X_AZP", "a")], "OIDC_X_ISSUER"),
        (vec![("OIDC_ISSUER", "http://i.example"), audience], "OIDC_ISSUER"),
        (vec![("OIDC_ISSUER", "http://127.0.0.1"), audience], "OIDC_ISSUER"),
        (vec![("OIDC_ISSUER", "https://i.example?a=b"), audience], "OIDC_ISSUER"),
        (vec![("OIDC_ISSUER", "https://u:p@i.example"), audience], "OIDC_ISSUER"),
        (vec![("OIDC_ISSUER", "i.example"), audience], "OIDC_ISSUER"),
        (vec![issuer, audience, secret, ("OIDC_JWKS_URL", "https://i.example/keys")], "OIDC_SECRET"),
        (vec![issuer, audience, ("OIDC_SECRET", "too-short-for-sha-256")], "OIDC_SECRET"),
        (vec![issuer, audience, secret, ("OIDC_ALGORITHMS", "RS256")], "OIDC_ALGORITHMS"),
        (vec![issuer, audience, ("OIDC_ALGORITHMS", "HS256")], "OIDC_ALGORITHMS"),
        (vec![issuer, audience, ("OIDC_ALGORITHMS", "none")], "OIDC_ALGORITHMS"),
        (vec![issuer, audience, ("OIDC_ORG_CLAIM", "/user_metadata/org")], "OIDC_ORG_CLAIM"),
        (vec![issuer, audience, ("OIDC_ROLE_CLAIM", "/unsafe_metadata/role")], "OIDC_ROLE_CLAIM"),
        (vec![clerk], "CLERK_AUTHORIZED_PARTIES"),
        (vec![parties], "CLERK_AUTHORIZED_PARTIES"),
        (vec![clerk, ("CLERK_AUTHORIZED_PARTIES", "https://app.example.com/")], "CLERK_AUTHORIZED_PARTIES"),
        (vec![clerk, parties, ("CLERK_JWT_KEY", "-----BEGIN PUBLIC KEY-----")], "CLERK_JWT_KEY"),
        (vec![clerk, parties, ("CLERK_PUBLISHABLE_KEY", "pk_live_b3RoZXIuZXhhbXBsZSQ")], "CLERK_PUBLISHABLE_KEY"),
        (vec![parties, ("CLERK_PUBLISHABLE_KEY", "sk_live_x")], "CLERK_PUBLISHABLE_KEY"),
        (vec![clerk, parties, ("OIDC_ISSUER", "https://clerk.example.com"), audience], "CLERK_ISSUER"),
        (vec![("AUTH_SECRET", "tiny")], "AUTH_SECRET"),
        (vec![("AUTH_SECRET", "[\"a-secret-of-the-front-end\"")], "AUTH_SECRET"),
        (vec![("AUTH_SESSIONS", "jwt")], "AUTH_SESSIONS"),
        (vec![auth, ("AUTH_SESSIONS", "cookies")], "AUTH_SESSIONS"),
        (vec![auth, ("AUTH_SESSIONS", "database"), ("AUTH_ORG_CLAIM", "org")], "AUTH_ORG_CLAIM"),
        (vec![("AUTH_ORG_CLAIM", "org")], "AUTH_ORG_CLAIM"),
        (vec![("AUTH_DEFAULT_ROLE", "root")], "AUTH_DEFAULT_ROLE"),
    ] {
        let error = read(&variables).err().unwrap_or_else(|| panic!("{named} is let pass in {variables:?}"));
        assert_eq!(error.variable, named, "{error}");
        for (_, value) in variables.iter().filter(|(name, _)| name.contains("SECRET")) {
            assert!(!error.to_string().contains(value), "{error}");
        }
    }
}
