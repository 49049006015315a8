//! A provider key with a text of its own goes through everything that a key goes through in the real process; then it
//! is looked for in every answer, log line, table and file.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Uri};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::keys::{docent, master, say};
use crate::postgres::{connect, directory, options, started};

const CANARY: &str = "sk-canary-Vq7TzR2mXw9KpL4sYc8NdF3hGb6JtE1u-tail";
/// What is looked for: a good part of the key, so that half an echo is found too. The last four characters are public.
const PART: &str = "Vq7TzR2mXw9KpL4sYc8NdF3hGb6JtE1u";
/// What the provider makes of a request, by the first segment of its path; each repeats the key.
const FAILURES: [&str; 8] = ["401", "403", "404", "429", "500", "302", "page", "stream"];

#[tokio::test]
async fn a_key_is_found_in_no_answer_log_table_or_file() {
    let name = "a_key_is_found_in_no_answer_log_table_or_file";
    let directory = directory();
    let Some(postgres) = started(name, options(&directory.path().join("postgres"))).await else { return };
    let admin = connect(&postgres.url()).await;
    // The server's own log then shows each statement with its parameters.
    admin.batch_execute("alter system set log_statement = 'all'").await.unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    let provider = provider().await;
    let data = directory.path().join("system");
    let log = directory.path().join("docent.log");

    let mut system = docent(&["up", "--embedder", "hash", "--port", "0", "--data"]);
    system.arg(&data).env("DIRECT_DATABASE_URL", postgres.url()).env("LOG_LEVEL", "trace");
    system.env("MASTER_KEY_r1", master("r1")).stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
    let mut system = system.spawn().unwrap();
    let client = Client::of(system.stdout.take().unwrap()).await;

    let mut heard = client.play(&provider, directory.path()).await;
    let secrets: Value = serde_json::from_slice(&std::fs::read(data.join("secrets.json")).unwrap()).unwrap();
    let mut rotate = docent(&["keys", "rotate", "--json"]);
    rotate.env("DIRECT_DATABASE_URL", postgres.url()).env("LOG_LEVEL", "trace").env("MASTER_KEY_CURRENT", "r1");
    rotate.env("MASTER_KEY_r1", master("r1")).env("MASTER_KEY_l1", secrets["master_key"].as_str().unwrap());
    let rotated = rotate.output().await.unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    heard.push(String::from_utf8_lossy(&[rotated.stdout, rotated.stderr].concat()).into_owned());
    let checked = client.send("POST", "/api/keys/acme/check", None).await;
    assert!(checked.contains("\"status\":\"not_an_api\""), "the rotated key was sent once more: {checked}");
    heard.push(checked);
    let pid = rustix::process::Pid::from_raw(system.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(system.wait().await.unwrap().success());

    let forms = [forms(PART), forms(&master("r1"))].concat();
    let answers = heard.concat();
    none(&forms, &answers, "the answers");
    let tables = dump(&admin).await;
    assert!(tables.contains("acme") && tables.contains("\\\\x0172310000"), "the dump holds the sealed key");
    none(&forms, &tables, "the tables");
    admin.batch_execute("checkpoint").await.unwrap();
    let (files, bytes) = walk(directory.path(), &mut |path, text| none(&forms, text, &path.display().to_string()));
    let lines = std::fs::read_to_string(&log).unwrap().lines().count();
    assert!(lines > 20, "the process logged {lines} lines only");
    say(&format!(
        "the canary is in none of {} answers, {lines} log lines, {} bytes of tables, {files} files of {bytes} bytes",
        heard.len(),
        tables.len()
    ));

    // The same search finds what was put there on purpose.
    let plant = "create table public.planted (plain text, raw bytea, encoded text)";
    admin.batch_execute(plant).await.unwrap();
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("x{CANARY}"));
    let row: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&CANARY, &CANARY.as_bytes(), &encoded];
    admin.execute("insert into public.planted values ($1, $2, $3)", &row).await.unwrap();
    let tables = dump(&admin).await;
    let found = forms.iter().filter(|form| tables.contains(*form)).count();
    assert_eq!(found, 3, "plain, hex and base64, each in one form");
    admin.batch_execute("checkpoint").await.unwrap();
    let mut found = 0;
    walk(directory.path(), &mut |_, text| found += usize::from(forms.iter().any(|form| text.contains(form))));
    assert!(found >= 2, "the table's file and the server's log");
    postgres.stop().await.unwrap();
}

fn none(forms: &[String], text: &str, place: &str) {
    if let Some(form) = forms.iter().find(|form| text.contains(*form)) {
        let at = text.find(form.as_str()).unwrap();
        let around: String = text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
        panic!("{place} holds {form}, after: {around}");
    }
}

/// Plain, hexadecimal, and base64 in its three alignments and two alphabets.
fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_owned(), hex.to_uppercase(), hex];
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for before in 0..3 {
            let text = engine.encode([&[0; 2][..before], secret.as_bytes()].concat());
            // The characters at either end also depend on what stands beside the secret.
            let whole = (before + secret.len()) * 8 / 6;
            forms.push(text[(before * 8).div_ceil(6)..whole].to_owned());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

#[test]
fn a_secret_is_found_in_every_form_and_place() {
    let forms = forms(PART);
    for before in ["", "a", "ab", "abc", "key="] {
        let text = format!("{before}{CANARY}");
        let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        for shown in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text), hex, text] {
            assert!(forms.iter().any(|form| shown.contains(form)), "{shown}");
        }
    }
    assert!(!forms.iter().any(|form| "sk-canary-…tail".contains(form)));
}

/// Every row of every table as Postgres writes it; binary columns come as hexadecimal.
async fn dump(admin: &tokio_postgres::Client) -> String {
    let sql = "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') order by 1";
    let mut text = String::new();
    let tables = admin.query(sql, &[]).await.unwrap();
    assert!(tables.len() > 20, "{} tables", tables.len());
    for table in tables {
        let table: String = table.get(0);
        for row in admin.query(&format!("select t::text from {table} t"), &[]).await.unwrap() {
            text.push_str(&format!("{table} {}\n", row.get::<_, String>(0)));
        }
    }
    text
}

/// Shows each file below a folder, bytes that are no text replaced; gives how many files and bytes there were.
fn walk(folder: &Path, look: &mut dyn FnMut(&Path, &str)) -> (usize, usize) {
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            let (more_files, more_bytes) = walk(&entry.path(), look);
            (files, bytes) = (files + more_files, bytes + more_bytes);
        } else if let Ok(content) = std::fs::read(entry.path()) {
            look(&entry.path(), &String::from_utf8_lossy(&content));
            (files, bytes) = (files + 1, bytes + content.len());
        }
    }
    (files, bytes)
}

struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// Of the system whose console this output names.
    async fn of(output: tokio::process::ChildStdout) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((url, token)) = line.split_once("/#token=") {
                let url = url.split_whitespace().last().unwrap().to_owned();
                // Whatever else it prints has somewhere to go.
                drain(lines);
                let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
                return Client { http, url, token: token.to_owned() };
            }
        }
        panic!("the system ended before it was up");
    }

    /// Status, head and body of the answer in one text.
    async fn send(&self, method: &str, path: &str, body: Option<String>) -> String {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        request = request.bearer_auth(&self.token).header("content-type", "application/json");
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let head = format!("{} {:?}", response.status(), response.headers());
        format!("{head} {}\n", response.text().await.unwrap())
    }

    /// Saves the key with every kind of failing provider, chats with it, checks it, sends it where it does not belong;
    /// gives every answer.
    async fn play(&self, provider: &str, folder: &Path) -> Vec<String> {
        let file = folder.join("moon.txt");
        std::fs::write(&file, "The Moon orbits the Earth at a mean distance of 384400 kilometres.").unwrap();
        let mut ingest = docent(&["ingest", "--url", &self.url, "--token", &self.token]);
        let ingested = ingest.arg(&file).output().await.unwrap();
        assert!(ingested.status.success(), "{}", String::from_utf8_lossy(&ingested.stderr));
        let bots = self.send("GET", "/api/bots", None).await;
        let bots: Value = serde_json::from_str(&bots[bots.find("{\"bots\"").unwrap()..]).unwrap();
        let bot = format!("/api/bots/{}", bots["bots"][0]["id"].as_str().unwrap());
        self.send("PATCH", &bot, Some(json!({ "provider": "acme", "model": "m" }).to_string())).await;

        let mut heard = Vec::new();
        for failure in FAILURES {
            let key = json!({ "key": CANARY, "baseUrl": format!("{provider}/{failure}/v1") }).to_string();
            heard.push(self.send("PUT", "/api/keys/acme", Some(key)).await);
            let question = json!({ "role": "user", "content": "At what mean distance does the Moon orbit?" });
            let question = json!({ "id": failure, "messages": [question] }).to_string();
            let answer = self.send("POST", "/api/chat", Some(question)).await;
            assert!(answer.contains("\"type\":\"error\""), "{failure}: {answer}");
            heard.push(answer);
            heard.push(self.send("POST", "/api/keys/acme/check", None).await);
        }
        let misplaced = [
            ("PUT", "/api/keys/acme".to_owned(), Some(format!("{{\"key\": \"{CANARY}"))),
            ("PUT", "/api/keys/acme".to_owned(), Some(format!("\"{CANARY}\""))),
            ("PUT", "/api/keys/acme".to_owned(), Some(json!({ "key": [CANARY] }).to_string())),
            ("PUT", "/api/keys/acme".to_owned(), Some(json!({ "key": "k", CANARY: 1 }).to_string())),
            ("PUT", "/api/keys/acme".to_owned(), Some(json!({ "key": format!("{CANARY}\n") }).to_string())),
            ("PUT", "/api/keys/acme".to_owned(), {
                Some(
                    json!({ "key": "k", "baseUrl": format!("https://{CANARY}@api.example.com/?k={CANARY}") })
                        .to_string(),
                )
            }),
            ("GET", format!("/api/keys/{CANARY}"), None),
            ("GET", format!("/api/keys?key={CANARY}"), None),
            ("GET", "/api/keys".to_owned(), None),
            ("GET", "/api/keys/acme".to_owned(), None),
            ("GET", "/api/conversations/401".to_owned(), None),
            ("GET", "/api/usage".to_owned(), None),
        ];
        for (method, path, body) in misplaced {
            heard.push(self.send(method, &path, body).await);
        }
        let stranger = Client { http: self.http.clone(), url: self.url.clone(), token: CANARY.to_owned() };
        heard.push(stranger.send("GET", "/api/keys", None).await);
        let last = json!({ "key": CANARY, "baseUrl": format!("{provider}/page/v1") }).to_string();
        heard.push(self.send("PUT", "/api/keys/acme", Some(last)).await);
        heard
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own runtime outlives what it spawns")]
fn drain(mut lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>) {
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
}

#[expect(clippy::disallowed_methods, reason = "a test's own runtime outlives what it spawns")]
async fn provider() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(fail)).await });
    url
}

/// Repeats the key in the head and the body of every failure.
async fn fail(uri: Uri, headers: HeaderMap) -> Response {
    let key = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let error = json!({ "error": { "message": format!("Incorrect API key provided: {key}"), "code": &key } });
    let failure = uri.path().split('/').nth(1).unwrap_or_default();
    let (status, kind, body) = match failure {
        "page" => (200, "text/html", format!("<html>{key}</html>")),
        "stream" => (200, "text/event-stream", format!("data: {error}\n\n")),
        status => (status.parse().unwrap(), "application/json", error.to_string()),
    };
    let status = http::StatusCode::from_u16(status).unwrap();
    let location = format!("https://api.example.com/?key={key}");
    (status, [("content-type", kind), ("x-echo", &key), ("location", &location)], body).into_response()
}
