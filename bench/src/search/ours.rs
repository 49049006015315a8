//! Docent's own search, as a function does it, timed and counted at the wire.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use docent::config;
use docent::db::{Db, Role};
use docent::search::{self, Query};
use docent_llm::Url;
use tokio::net::TcpListener;

use super::library::Library;
use super::{Found, LIMIT, MODEL, Question};
use crate::Outcome;
use crate::walls::proxy;

/// Questions whose trips are counted.
const COUNTED: usize = 20;

pub struct Searcher<'a> {
    db: Db,
    library: &'a Library,
}

impl<'a> Searcher<'a> {
    pub async fn new(library: &'a Library) -> Outcome<Searcher<'a>> {
        Searcher::at(library, &library.app).await
    }

    async fn at(library: &'a Library, url: &str) -> Outcome<Searcher<'a>> {
        let db = Db::new(&config::Database { url: url.to_owned(), pool_size: 1 }, Role::App)?;
        db.ping().await?;
        Ok(Searcher { db, library })
    }

    pub async fn search(&self, question: &Question, limit: i32) -> Outcome<Found> {
        let tenant = *self.library.tenants.get(&question.tenant).ok_or("a question of nobody's")?;
        let vector = Some(question.vector.clone().into());
        let query = Query::prepared(vec![tenant.uuid()], question.terms.clone(), vector, MODEL.to_owned(), limit);
        let begin = Instant::now();
        let tx = self.db.tenant(tenant).await?;
        let hits = tx.finish(search::hybrid(&tx, &query)).await?.hits;
        let seconds = begin.elapsed().as_secs_f64();
        let rows = hits.len();
        let places = hits.into_iter().map(|hit| (hit.document.to_string(), hit.ordinal)).collect();
        Ok(Found { places, rows, seconds })
    }
}

/// Round trips of each of some questions, through a proxy that counts them.
pub async fn trips(library: &Library, questions: &[Question]) -> Outcome<usize> {
    let mut url = Url::parse(&library.app)?;
    let target = format!("{}:{}", url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(5432));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    url.set_host(Some("127.0.0.1"))?;
    url.set_port(Some(listener.local_addr()?.port())).map_err(|()| "no URL")?;
    let trips = AtomicUsize::new(0);
    let asking = async {
        let searcher = Searcher::at(library, url.as_str()).await?;
        let before = trips.load(Ordering::Relaxed);
        let counted = questions.iter().take(COUNTED);
        let asked = counted.len();
        for question in counted {
            searcher.search(question, LIMIT).await?;
        }
        let counted = trips.load(Ordering::Relaxed) - before;
        if counted.is_multiple_of(asked) {
            Ok(counted / asked)
        } else {
            Err(format!("{counted} trips for {asked}").into())
        }
    };
    tokio::select! {
        counted = asking => counted,
        ended = proxy::count(&listener, &target, &trips) => ended.and(Err("the proxy ended".into())),
    }
}
