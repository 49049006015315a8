//! What the system says of its requests: lines, traces, errors, headers. Through the router, and to stand-ins that speak
//! what collectors and Sentry speak.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use docent::App;
use docent::Tasks;
use docent::config::Environment;
use docent::function::{self, Files};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use crate::talker::{MOON, QUESTION, Reply, Talker, asking};
use crate::world::{Client, World, environment, spawn};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The lines that were logged while it was the subscriber.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn dispatch(&self) -> Dispatch {
        let (log, level) = (self.clone(), LevelFilter::INFO);
        let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(move || log.clone());
        Dispatch::new(tracing_subscriber::registry().with(level).with(lines))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn requests(&self) -> Vec<Value> {
        let lines = self.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
        lines.filter(|line| line["message"] == "http.request answered").collect()
    }
}

/// Whoever is told something, or asked: it remembers what, and says as a provider of OpenAI's kind what it is asked.
#[derive(Clone, Default)]
struct Stand(Arc<Mutex<Vec<(String, HeaderMap, String)>>>);

impl Stand {
    async fn start() -> (Stand, String) {
        let stand = Stand::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(heard).with_state(stand.clone());
        spawn(async move { axum::serve(listener, router).await.unwrap() });
        (stand, address)
    }

    fn at(&self, path: &str) -> Vec<(HeaderMap, String)> {
        let heard = self.0.lock().unwrap();
        heard
            .iter()
            .filter(|(asked, ..)| asked == path)
            .map(|(_, headers, body)| (headers.clone(), body.clone()))
            .collect()
    }

    /// Every span that came, in the order in which it came.
    fn spans(&self) -> Vec<Value> {
        let posts = self.at("/v1/traces");
        let parsed = posts.iter().map(|(_, body)| serde_json::from_str::<Value>(body).unwrap());
        parsed.flat_map(|post| post["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()).collect()
    }
}

async fn heard(State(stand): State<Stand>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let path = uri.path().to_owned();
    stand.0.lock().unwrap().push((path.clone(), headers, body));
    if !path.ends_with("/chat/completions") {
        return Response::new(Body::from("{}"));
    }
    let text = json!({ "choices": [{ "index": 0, "delta": { "content": "It is 384400 kilometres [1]." } }] });
    let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 70, "completion_tokens": 9 } });
    let stream = format!("data: {text}\n\ndata: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n");
    Response::builder().header("content-type", "text/event-stream").body(Body::from(stream)).unwrap()
}

fn attribute<'s>(span: &'s Value, key: &str) -> &'s Value {
    let all = span["attributes"].as_array().unwrap();
    let found = all.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("{key} is not in {span}"));
    found["value"].as_object().unwrap().values().next().unwrap()
}

fn question(conversation: &str) -> String {
    json!({ "id": conversation, "messages": [{ "role": "user", "content": QUESTION }] }).to_string()
}

/// Nothing of what people wrote or keep, and no key to it.
fn says_nothing_of_anybody(text: &str, client: &Client) {
    let token = client.token.clone().unwrap();
    let tenant = client.tenant.uuid().to_string();
    for secret in [QUESTION, MOON, "384400", "moon.txt", "sk-test", token.as_str(), tenant.as_str()] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_streams_line_comes_at_its_end_with_all_that_is_known_and_none_of_what_was_said() {
    let mut world = World::new().await;
    let (stand, base) = Stand::start().await;
    let client = asking(&mut world, &format!("{base}/v1"), |environment| environment).await;

    let log = Log::default();
    let headers = [("traceparent", PARENT), ("tracestate", "a=1"), ("x-request-id", "mine-7")];
    let asked = client.send("POST", "/api/chat", Some(question("c")), &headers);
    let reply = asked.with_subscriber(log.dispatch()).await;
    assert_eq!(reply.answer(), "It is 384400 kilometres [1].");
    let lines = log.requests();
    let [line] = lines.as_slice() else { panic!("one line for one request: {}", log.text()) };
    for (field, expected) in [
        ("request_id", json!("mine-7")),
        ("trace_id", json!(TRACE)),
        ("method", json!("POST")),
        ("route", json!("/api/chat")),
        ("status", json!(200)),
        ("caller", json!("token")),
        ("provider", json!("acme")),
        ("model", json!("m")),
        ("input_tokens", json!(70)),
        ("output_tokens", json!(9)),
        ("cost_micros", json!(79)),
        ("db_trips", json!(3)),
    ] {
        assert_eq!(line[field], expected, "{field} of {line}");
    }
    let millis = |field: &str| line[field].as_u64().unwrap_or_else(|| panic!("{field} of {line}"));
    assert!(millis("head_millis") <= millis("first_millis") && millis("first_millis") <= millis("millis"));
    assert_eq!((&line["left"], &line["code"]), (&Value::Null, &Value::Null));
    let tenant = line["tenant"].as_str().unwrap();
    assert!(tenant.len() == 16 && tenant.bytes().all(|byte| byte.is_ascii_hexdigit()), "{tenant}");
    assert_eq!(line["bot"].as_str().map(str::len), Some(16), "a hash, as the tenant's");
    let admin = world.admin().await;
    let sql = "select left(encode(sha256(('docent/log/v1' || tenant_id)::bytea), 'hex'), 16) from tenant where tenant_id = $1";
    let found: String = admin.query_one(sql, &[&client.tenant.uuid()]).await.unwrap().get(0);
    assert_eq!(found, tenant, "as the runbook looks for it");
    says_nothing_of_anybody(&log.text(), &client);

    // What came in goes on, as it was: nobody here keeps spans, so there is no other parent.
    let (carried, _) = &stand.at("/v1/chat/completions")[0];
    assert_eq!((&carried["traceparent"], &carried["tracestate"]), (&PARENT.parse().unwrap(), &"a=1".parse().unwrap()));
    client.ask("d", QUESTION).await;
    assert!(!stand.at("/v1/chat/completions")[1].0.contains_key("traceparent"), "none came in, and nobody keeps any");
    assert!(stand.at("/v1/traces").is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_is_told_with_what_its_answer_cost() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, |environment| environment).await;
    let log = Log::default();
    let leaving = async {
        let mut answer = client.open_answer("c", QUESTION).await;
        let speaking = async {
            let turn = turns.recv().await.unwrap();
            turn.say("It is 384400 ");
            turn
        };
        let (turn, _) = tokio::join!(speaking, answer.until("text-delta"));
        assert!(log.requests().is_empty(), "the answer is not over");
        drop(answer);
        turn.cancelled().await;
        world.files.app.tasks.drained().await;
    };
    leaving.with_subscriber(log.dispatch()).await;
    let lines = log.requests();
    assert_eq!(lines.len(), 1, "{}", log.text());
    assert_eq!(
        (&lines[0]["left"], &lines[0]["code"], &lines[0]["status"]),
        (&json!(true), &json!("client_gone"), &json!(200))
    );
    assert_eq!(lines[0]["model"], "m", "its bill was booked afterwards, by a task: {}", lines[0]);
    assert!(lines[0]["cost_micros"].as_u64().unwrap() > 0);
    says_nothing_of_anybody(&log.text(), &client);
}

#[tokio::test]
async fn a_client_that_leaves_before_there_is_an_answer_is_told_as_such() {
    let mut world = World::new().await;
    let (_, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, |environment| environment).await;
    let log = Log::default();
    let leaving = async {
        let body = json!({ "id": "c", "stream": false, "messages": [{ "role": "user", "content": QUESTION }] });
        let asked = client.post("/api/chat", body);
        let turn = tokio::select! {
            _ = asked => panic!("nobody has answered"),
            turn = turns.recv() => turn.unwrap(),
        };
        turn.cancelled().await;
        world.files.app.tasks.drained().await;
    };
    leaving.with_subscriber(log.dispatch()).await;
    let lines = log.requests();
    assert_eq!(lines.len(), 1, "{}", log.text());
    assert_eq!(
        (&lines[0]["status"], &lines[0]["left"], &lines[0]["code"]),
        (&json!(499), &json!(true), &json!("client_gone"))
    );
}

#[tokio::test]
async fn a_trace_holds_the_request_and_its_calls_and_none_of_what_was_said() {
    let mut world = World::new().await;
    let (stand, base) = Stand::start().await;
    let traced = |environment: Environment| {
        environment
            .with("OTEL_EXPORTER_OTLP_ENDPOINT", &base)
            .with("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of%20ours")
            .with("OTEL_SERVICE_NAME", "docent-test")
    };
    let client = asking(&mut world, &format!("{base}/v1"), traced).await;
    world.files.app.tasks.drained().await;
    let before = stand.spans().len();
    let headers = [("traceparent", PARENT), ("tracestate", "a=1")];
    let reply = client.send("POST", "/api/chat", Some(question("c")), &headers).await;
    let response = reply.headers["traceresponse"].to_str().unwrap().to_owned();
    world.files.app.tasks.drained().await;
    let (post_headers, body) = stand.at("/v1/traces").pop().unwrap();
    assert_eq!(
        (&post_headers["content-type"], &post_headers["x-key"]),
        (&"application/json".parse().unwrap(), &"of ours".parse().unwrap())
    );
    let post: Value = serde_json::from_str(&body).unwrap();
    assert!(post["resourceSpans"][0]["resource"].to_string().contains("docent-test"));
    says_nothing_of_anybody(&body, &client);

    let spans = stand.spans().split_off(before);
    assert!(spans.iter().all(|span| span["traceId"] == TRACE && span["traceState"] == "a=1"), "{spans:#?}");
    let server = &spans[0];
    assert_eq!(
        (&server["name"], &server["kind"], &server["parentSpanId"]),
        (&json!("POST /api/chat"), &json!(2), &json!("00f067aa0ba902b7"))
    );
    assert_eq!(response, format!("00-{TRACE}-{}-01", server["spanId"].as_str().unwrap()));
    assert_eq!(attribute(server, "http.response.status_code"), "200");
    let chat = spans.iter().find(|span| span["name"] == "chat m").unwrap();
    assert_eq!((&chat["parentSpanId"], &chat["kind"]), (&server["spanId"], &json!(3)));
    for (key, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("acme")),
        ("gen_ai.request.model", json!("m")),
        ("gen_ai.usage.input_tokens", json!("70")),
        ("gen_ai.usage.output_tokens", json!("9")),
    ] {
        assert_eq!(attribute(chat, key), &value);
    }
    let time = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
    for span in &spans {
        assert!(time(span, "startTimeUnixNano") <= time(span, "endTimeUnixNano"), "{span}");
        assert!(time(server, "startTimeUnixNano") <= time(span, "startTimeUnixNano"), "{span}");
        assert!(time(span, "endTimeUnixNano") <= time(server, "endTimeUnixNano"), "{span}");
    }
    assert_eq!(spans.iter().filter(|span| span["name"] == "postgres").count(), 3, "{spans:#?}");
    let (carried, _) = &stand.at("/v1/chat/completions")[0];
    let expected = format!("00-{TRACE}-{}-01", chat["spanId"].as_str().unwrap());
    assert_eq!(carried["traceparent"], expected.as_str(), "the provider's part of the trace hangs below the call");

    // Whoever began the trace does not want it kept.
    let not_kept = PARENT.replace("-01", "-00");
    client.send("GET", "/api/bots", None, &[("traceparent", not_kept.as_str())]).await;
    world.files.app.tasks.drained().await;
    assert_eq!(stand.spans().len(), before + spans.len());
}

#[tokio::test]
async fn what_is_to_be_told_is_sent_before_an_instance_may_freeze() {
    let (stand, base) = Stand::start().await;
    let environment = environment("postgres://docent_app:x@127.0.0.1:9/none", "http://127.0.0.1:9")
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &base);
    let router = function::everything(Files::new(&environment, App::new(&environment).unwrap()).unwrap());
    let request = || http::Request::get("/api/health/ping").body(Body::empty()).unwrap();
    // As Vercel's adapter does it: the invocation brings its tasks and has the platform wait for them.
    let (tasks, mut asked) = (Tasks::default(), request());
    asked.extensions_mut().insert(tasks.clone());
    let response = router.clone().oneshot(asked).await.unwrap();
    drop(response.into_body().collect().await.unwrap());
    tasks.drained().await;
    assert_eq!(stand.spans().len(), 1);
    // As on Lambda, where the body's end is the end.
    let response = docent::http::waiting(router).oneshot(request()).await.unwrap();
    drop(response.into_body().collect().await.unwrap());
    assert_eq!(stand.spans().len(), 2);
}

#[tokio::test]
async fn our_failures_are_told_in_sentrys_envelopes_and_callers_mistakes_are_not() {
    let (stand, base) = Stand::start().await;
    let environment = environment("postgres://docent_app:x@127.0.0.1:9/none", "http://127.0.0.1:9")
        .with("SENTRY_DSN", base.replace("http://", "http://abc123@") + "/below/42");
    let app = App::new(&environment).unwrap();
    let tasks = app.tasks.clone();
    let router = function::everything(Files::new(&environment, app).unwrap());
    let world = World::new().await;
    let client = world.tenant_a.through(&router);
    let anonymous = world.anon.through(&router);
    assert_eq!(anonymous.get("/nowhere").await.status, 404);
    assert_eq!(anonymous.get("/api/documents").await.status, 401);
    tasks.drained().await;
    assert!(stand.0.lock().unwrap().is_empty(), "these are nobody's to mend");
    let reply = client
        .send("GET", "/api/documents?limit=3", None, &[("x-request-id", "mine-9"), ("traceparent", PARENT)])
        .await;
    assert_eq!(reply.code(), "database_unavailable");
    tasks.drained().await;
    let mut told = stand.at("/below/api/42/envelope/");
    let (headers, body) = told.pop().unwrap();
    assert!(told.is_empty());
    assert_eq!(headers["content-type"], "application/x-sentry-envelope");
    let auth = headers["x-sentry-auth"].to_str().unwrap();
    assert!(auth.starts_with("Sentry sentry_version=7, ") && auth.ends_with("sentry_key=abc123"), "{auth}");
    let lines: Vec<&str> = body.lines().collect();
    let [head, item, event] = lines.as_slice() else { panic!("three lines: {body}") };
    let [head, item, parsed] = [head, item, event].map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!((&item["type"], &item["length"]), (&json!("event"), &json!(event.len())));
    assert_eq!((&head["event_id"], parsed["event_id"].as_str().unwrap().len()), (&parsed["event_id"], 32));
    assert_eq!(parsed["exception"]["values"][0]["type"], "database_unavailable");
    assert_eq!(
        (&parsed["transaction"], &parsed["tags"]["request_id"]),
        (&json!("GET /api/documents"), &json!("mine-9"))
    );
    assert_eq!(parsed["contexts"]["trace"]["trace_id"], TRACE);
    assert_eq!(parsed["environment"], "development");
    says_nothing_of_anybody(&body, &client);
}

#[tokio::test]
async fn a_receiver_that_is_down_is_said_once_and_keeps_nobody_waiting() {
    let environment = environment("postgres://docent_app:x@127.0.0.1:9/none", "http://127.0.0.1:9")
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let app = App::new(&environment).unwrap();
    let tasks = app.tasks.clone();
    let world = World::new().await;
    let anonymous = world.anon.through(&function::everything(Files::new(&environment, app).unwrap()));
    let log = Log::default();
    let asking = async {
        for _ in 0..5 {
            assert_eq!(anonymous.get("/api/health/ping").await.status, 200);
            tasks.drained().await;
        }
    };
    asking.with_subscriber(log.dispatch()).await;
    assert_eq!(log.text().matches("telemetry.report failed").count(), 1, "{}", log.text());
}

#[tokio::test]
async fn what_took_time_is_told_to_the_browser() {
    let world = World::new().await;
    let reply = world.tenant_a.get("/api/documents").await;
    let timing = reply.headers["server-timing"].to_str().unwrap();
    assert!(timing.starts_with("total;dur=") && timing.contains("db;dur="), "{timing}");
    assert!(timing.contains(";desc=\"2 trips\""), "one for the caller, one for the rows: {timing}");
    let found = world.tenant_a.post("/api/search", json!({ "query": "moon" })).await;
    let timing = found.headers["server-timing"].to_str().unwrap();
    assert!(timing.contains("embed;dur=") && timing.contains("search;dur="), "{timing}");
    assert!(
        world.anon.get("/api/health/ping").await.headers["server-timing"].to_str().unwrap().starts_with("total;dur=")
    );
}

#[tokio::test]
async fn a_container_counts_what_it_answers_and_nobody_else_does() {
    let world = World::new().await;
    assert!(world.files.app.telemetry.metrics().is_none());
    let environment = world.environment.clone().with("DOCENT_METRICS_LISTEN", "127.0.0.1:0");
    let app = App::new(&environment).unwrap();
    let client = world.tenant_a.through(&function::everything(Files::new(&environment, app.clone()).unwrap()));
    assert_eq!(client.get("/api/documents").await.status, 200);
    assert_eq!(client.get("/api/documents/00000000-0000-7000-8000-000000000000").await.status, 404);
    assert_eq!(client.get("/metrics").await.status, 404, "not at the address of everybody");
    let page = app.telemetry.metrics().unwrap().page(app.db.standing());
    for line in [
        "docent_requests_total{method=\"GET\",route=\"/api/documents\",status=\"200\"} 1",
        "docent_requests_total{method=\"GET\",route=\"/api/documents/{id}\",status=\"404\"} 1",
        "docent_failures_total{code=\"not_found\"} 2",
        "docent_pool_connections{state=\"most\"} 4",
        "docent_pool_connections{state=\"open\"} 1",
    ] {
        assert!(page.lines().any(|written| written == line), "{line} is not in\n{page}");
    }
}
