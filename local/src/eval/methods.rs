//! One set asked in every way: each leg alone, both together, and the full-text template that most others start from.

use std::collections::HashMap;
use std::time::Instant;

use clap::ValueEnum;
use docent::App;
use docent::auth::TenantId;
use docent::search::{self, Asked, Hit, MOST, Query};
use docent::usage::Spender;
use uuid::Uuid;

use super::library::{self, Library};
use super::measure::{Account, Found};
use super::{Question, Set};
use crate::command::Failure;
use crate::terminal;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// `websearch_to_tsquery` and `ts_rank_cd`, as in the usual template
    Template,
    /// The product's search without vectors
    Lexical,
    /// The product's search without terms
    Dense,
    /// The product's search
    Hybrid,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Template => "ts_rank_cd",
            Method::Lexical => "lexical",
            Method::Dense => "dense",
            Method::Hybrid => "hybrid",
        }
    }

    pub fn needs_model(self) -> bool {
        matches!(self, Method::Dense | Method::Hybrid)
    }
}

/// A tenant to measure in.
pub struct Bench<'a> {
    pub app: &'a App,
    pub tenant: TenantId,
    pub model: String,
    pub methods: &'a [Method],
}

/// An answer of the template is looked for in so many questions at once, which share the work of reading the texts.
const TEMPLATE_QUESTIONS: usize = 100;

pub async fn run(bench: &Bench<'_>, set: &Set) -> Result<Vec<Account>, Failure> {
    let library = library::fill(bench.app, bench.tenant, set, &bench.model).await?;
    let mut accounts: Vec<Account> = bench.methods.iter().map(|method| Account::new(set, *method, bench)).collect();
    let bar = terminal::bar(set.questions.len() as u64, &format!("{}: questions", set.name));
    for (number, question) in set.questions.iter().enumerate() {
        let mut query = query(bench, &library, question).await?;
        for account in &mut accounts {
            if let Some(found) = one(bench, &library, &mut query, account.method).await? {
                account.count(question, &found);
            }
        }
        bar.inc(1);
        if bar.is_hidden() && number > 0 && number % 500 == 0 {
            terminal::note(&format!("· {}: {number} of {} questions", set.name, set.questions.len()));
        }
    }
    bar.finish_and_clear();
    if let Some(account) = accounts.iter_mut().find(|account| account.method == Method::Template) {
        for questions in set.questions.chunks(TEMPLATE_QUESTIONS) {
            for (question, found) in questions.iter().zip(template(bench, &library, questions).await?) {
                account.count(question, &found);
            }
        }
    }
    Ok(accounts)
}

/// The question as it is asked, with what making its vector took.
struct Asking {
    query: Query,
    seconds: f64,
}

async fn query(bench: &Bench<'_>, library: &Library, question: &Question) -> Result<Asking, Failure> {
    let began = Instant::now();
    let by = Spender::documents(bench.tenant);
    let asked = Asked { limit: MOST, ..Asked::plain(&question.text, &library.bot, &library.embedder, by) };
    let query = Query::new(bench.app, asked).await?;
    Ok(Asking { query, seconds: began.elapsed().as_secs_f64() })
}

/// Takes the leg away that the method does without, and gives it back.
async fn one(
    bench: &Bench<'_>,
    library: &Library,
    asking: &mut Asking,
    method: Method,
) -> Result<Option<Found>, Failure> {
    let query = &mut asking.query;
    let (vector, terms, weights) = match method {
        Method::Template => return Ok(None),
        Method::Dense if query.vector.is_none() => return Ok(None),
        Method::Lexical => (query.vector.take(), None, None),
        Method::Dense => (None, Some(std::mem::take(&mut query.terms)), Some(std::mem::take(&mut query.weights))),
        Method::Hybrid => (None, None, None),
    };
    let began = Instant::now();
    let hits = search::find(bench.app, bench.tenant, query).await?;
    let embedding = if method == Method::Lexical { 0.0 } else { asking.seconds };
    let seconds = began.elapsed().as_secs_f64() + embedding;
    query.vector = vector.or(query.vector.take());
    query.terms = terms.unwrap_or(std::mem::take(&mut query.terms));
    query.weights = weights.unwrap_or(std::mem::take(&mut query.weights));
    let answer = hits.get(..hits.len().min(search::DEFAULT_LIMIT as usize)).unwrap_or_default();
    let relevant = search::relevant(answer, library.embedder.relevance_floor());
    Ok(Some(Found { passages: passages(&library.places, hits), seconds: Some(seconds), relevant: Some(relevant) }))
}

/// A hit, in the terms of the set.
pub struct Passage {
    pub document: usize,
    pub text: String,
    pub span: (i64, i64),
    pub page: Option<(i32, i32)>,
}

fn passages(places: &HashMap<Uuid, usize>, hits: Vec<Hit>) -> Vec<Passage> {
    let place = |hit: Hit| {
        let document = *places.get(&hit.document)?;
        Some(Passage { document, text: hit.text, span: hit.span, page: None })
    };
    hits.into_iter().filter_map(place).collect()
}

async fn template(bench: &Bench<'_>, library: &Library, questions: &[Question]) -> Result<Vec<Found>, Failure> {
    let sql = "with page as materialized (
                 select c.document_id, c.ordinal, c.text, c.span_start, c.span_end, to_tsvector('english', c.text) as words
                 from chunk c
                 join document d on d.tenant_id = $1 and d.id = c.document_id
                 where c.tenant_id = $1 and d.collection_id = any($2)
               )
               select q.number::int8, hit.document_id, hit.text, hit.span_start, hit.span_end
               from unnest($3) with ordinality as q (text, number)
               cross join lateral (
                 select p.*, ts_rank_cd(p.words, websearch_to_tsquery('english', q.text)) as rank
                 from page p where p.words @@ websearch_to_tsquery('english', q.text)
                 order by rank desc, p.document_id, p.ordinal limit 50
               ) as hit
               order by q.number, hit.rank desc, hit.document_id, hit.ordinal";
    let texts: Vec<&str> = questions.iter().map(|question| question.text.as_str()).collect();
    let tx = bench.app.db.tenant(bench.tenant).await?;
    let rows = tx.finish(tx.query(sql, &[&library.bot.collections, &texts])).await?;
    let mut found: Vec<Found> = questions.iter().map(|_| Found::default()).collect();
    for row in rows {
        let number = usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX);
        let document = library.places.get(&row.get::<_, Uuid>(1));
        if let (Some(found), Some(&document)) = (found.get_mut(number), document) {
            found.passages.push(Passage { document, text: row.get(2), span: (row.get(3), row.get(4)), page: None });
        }
    }
    Ok(found)
}

/// The spans of the first passages without vectors, best first.
pub async fn lexical(
    bench: &Bench<'_>,
    library: &Library,
    text: &str,
    most: usize,
) -> Result<Vec<std::ops::Range<usize>>, Failure> {
    let question = Question { text: text.to_owned(), expected: Vec::new() };
    let mut asking = query(bench, library, &question).await?;
    let found = one(bench, library, &mut asking, Method::Lexical).await?.unwrap_or_default();
    let place = |at: i64| usize::try_from(at).unwrap_or(0);
    Ok(found.passages.iter().take(most).map(|one| place(one.span.0)..place(one.span.1)).collect())
}
