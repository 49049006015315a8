//! What stands open before its first word: kept alive however slow the search is, closed when nobody heard that it was
//! opened, and not in the way for long when its process died.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use docent::App;
use docent::config;
use docent::db::{Db, Door, Role, Step, Watch};
use docent::function::{self, Files};
use docent::search::FIRST;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::resume::follow;
use crate::talker::{QUESTION, Reply, Talker, asking, stored};
use crate::usage::put_caps;
use crate::world::{Client, World, eventually};

const WORDS: &[&str] = &["It is 384400 kilometres ", "[1]."];

/// What becomes of the statements that open an answer.
#[derive(Debug, Default)]
struct Script {
    /// Seconds that each search takes, the first first.
    searches: Mutex<VecDeque<f32>>,
    /// An answer's opening was sent; its commit is next.
    opening: AtomicBool,
    /// That commit is done, and its answer is lost.
    loses: AtomicBool,
    /// After that commit the producer stands still, from saying so until it hears that it may go on.
    holds: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
}

impl Watch for Script {
    fn stop(&self, step: Step<'_>) -> BoxFuture<'static, ()> {
        let opened = matches!(step, Step::Committed) && self.opening.swap(false, Ordering::SeqCst);
        let held = opened.then(|| self.holds.lock().unwrap().take()).flatten();
        async move {
            if let Some((opened, go)) = held {
                opened.send(()).unwrap();
                go.await.unwrap();
            }
        }
        .boxed()
    }

    fn before(&self, sql: &str) -> Option<String> {
        if sql.contains("insert into conversation") {
            self.opening.store(true, Ordering::SeqCst);
        }
        let search = sql.contains("found as materialized");
        let seconds = search.then(|| self.searches.lock().unwrap().pop_front()).flatten()?;
        Some(format!("select pg_sleep({seconds})"))
    }

    fn commit(&self) -> Option<String> {
        let lost = self.opening.load(Ordering::SeqCst) && self.loses.swap(false, Ordering::SeqCst);
        lost.then(|| "commit; select pg_terminate_backend(pg_backend_pid())".to_owned())
    }
}

/// The same system, played by the script from here on.
fn scripted(world: &mut World, client: &Client, script: &Arc<Script>) -> Client {
    let config = config::Database { url: world.environment.get("DATABASE_URL").unwrap().to_owned(), pool_size: 4 };
    let db = Db::with_door(&config, Role::App, Door::watched(script.clone())).unwrap();
    let app = App { db, ..world.files.app.clone() };
    world.files = Files::new(&world.environment, app).unwrap();
    client.through(&function::everything(world.files.clone()))
}

fn submit(resumable: bool) -> Value {
    let message = json!({ "id": "u1", "role": "user", "parts": [{ "type": "text", "text": QUESTION }] });
    json!({ "id": "c", "messages": [message], "trigger": "submit-message", "resumable": resumable })
}

#[tokio::test]
async fn what_was_opened_unheard_is_closed_at_once_and_its_question_answered_when_it_comes_again() {
    for resumable in [false, true] {
        let mut world = World::new().await;
        let (talker, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
        let client = asking(&mut world, &base, |environment| environment).await;
        assert_eq!(put_caps(&client, json!({ "tenant": "1" })).await.status, 200);
        let script = Arc::new(Script { loses: true.into(), ..Script::default() });
        let client = scripted(&mut world, &client, &script);
        let reply = client.post("/api/chat", submit(resumable)).await;
        assert_eq!(reply.code(), "database_unavailable", "{}", reply.text());
        world.files.app.tasks.drained().await;
        let message = stored(&client, "c").await;
        assert_eq!((&message["state"], &message["errorCode"]), (&json!("error"), &json!("database_unavailable")));
        assert_eq!(client.get("/api/usage").await.json()["today"][0]["reservedUsd"], "0.00");
        assert_eq!(talker.asked().len(), 0);

        let reply = client.post("/api/chat", submit(resumable)).await;
        assert_eq!(reply.answer(), WORDS.concat(), "{}", reply.text());
        world.files.app.tasks.drained().await;
        let messages = client.get("/api/conversations/c").await.json()["messages"].clone();
        assert_eq!((messages.as_array().unwrap().len(), &messages[1]["state"]), (2, &json!("complete")));
    }
}

#[tokio::test]
async fn a_lease_begins_when_the_search_is_done() {
    let mut world = World::new().await;
    let (_, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, |environment| environment.with("STREAM_LEASE_SECONDS", "1")).await;
    let ((opened, wait), (go, held)) = (oneshot::channel(), oneshot::channel());
    let script =
        Script { searches: Mutex::new([1.5].into()), holds: Mutex::new(Some((opened, held))), ..Script::default() };
    let client = scripted(&mut world, &client, &Arc::new(script));
    let looking = async {
        wait.await.unwrap();
        let sql = "select lease_until > clock_timestamp() from message where state = 'streaming'";
        let row = world.admin().await.query_one(sql, &[]).await.unwrap();
        assert!(row.get::<_, bool>(0), "it is open, and counts as lost already");
        go.send(()).unwrap();
    };
    let (reply, ()) = tokio::join!(client.post("/api/chat", submit(true)), looking);
    assert_eq!(reply.answer(), WORDS.concat(), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_while_more_is_searched_for_waits_for_the_answer() {
    let mut world = World::on_qdrant().await;
    let (_, base, _turns) = Talker::start(|_| Reply::Words(WORDS)).await;
    let client = asking(&mut world, &base, |environment| environment.with("STREAM_LEASE_SECONDS", "1")).await;
    // Stale points in the way of the live one: the store is asked for more when the answer stands open already.
    world.qdrant.clone().unwrap().multiply(FIRST as u128, |point, time| {
        point.payload["revision"] = json!(0);
        point.payload["ordinal"] = json!(time as i64);
    });
    let script = Arc::new(Script { searches: Mutex::new([0.0, 3.0].into()), ..Script::default() });
    let client = scripted(&mut world, &client, &script);
    let admin = world.admin().await;
    let reading = async {
        eventually("the answer stands open", async || {
            let sql = "select count(*) from message where state = 'streaming'";
            admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
        })
        .await;
        follow(&client, "c").await.await.unwrap()
    };
    let (reply, read) = tokio::join!(client.post("/api/chat", submit(true)), reading);
    assert!(script.searches.lock().unwrap().is_empty(), "there was no second search");
    assert_eq!((reply.answer(), read.answer()), (WORDS.concat(), WORDS.concat()), "{}", read.text());
}

#[tokio::test]
async fn an_answer_that_nobody_logs_is_kept_alive_and_soon_free_when_its_process_dies() {
    let mut world = World::new().await;
    let (talker, base, mut turns) = Talker::start(|_| Reply::Fed).await;
    let client = asking(&mut world, &base, |environment| environment.with("STREAM_LEASE_SECONDS", "1")).await;
    let mut answer = client.open(submit(false)).await;
    let (turn, _) = tokio::join!(turns.recv(), answer.all_until("start-step"));
    let admin = world.admin().await;
    let left = async || {
        let sql = "select extract(epoch from lease_until - created_at)::float8, extract(epoch from lease_until - now())::float8
                   from message where state = 'streaming'";
        let row = admin.query_one(sql, &[]).await.unwrap();
        (row.get::<_, f64>(0), row.get::<_, f64>(1))
    };
    let (first, before) = left().await;
    assert!(before <= 3.0, "whoever asks again waits {before} seconds when the process dies now");
    // The producer lives in the stream that its client reads.
    tokio::select! {
        _ = answer.all_until("never said") => unreachable!(),
        () = eventually("its producer says that it lives", async || left().await.0 > first) => {}
    }
    let refused = client.post("/api/chat", submit(false)).await;
    assert_eq!(refused.code(), "answer_in_progress");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    assert!(refused.json()["hint"].as_str().unwrap().contains("Retry-After"), "{}", refused.text());
    drop((answer, turn));
    world.files.app.tasks.drained().await;
    assert_eq!(talker.asked().len(), 1);
}
