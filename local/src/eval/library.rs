//! A set's documents in a collection of their own: cut, analysed and embedded by the product, stored as ingestion stores.

use std::collections::{BTreeMap, HashMap};

use docent::App;
use docent::auth::TenantId;
use docent::bots::Bot;
use docent::db::Param;
use docent::embedder::{Embedder, Inputs};
use docent::usage::Spender;
use docent_text::{Analyzer, Budget, ChunkOptions};
use indicatif::ProgressBar;
use pgvector::Vector;
use uuid::Uuid;

use super::{Document, Set};
use crate::command::Failure;
use crate::terminal;

/// Documents of one transaction.
const AT_ONCE: usize = 64;

/// A set that can be asked.
pub struct Library {
    pub bot: Bot,
    pub embedder: Embedder,
    /// The place of each document in its set.
    pub places: HashMap<Uuid, usize>,
}

#[derive(Default)]
struct Rows {
    documents: Vec<Uuid>,
    ordinals: Vec<i32>,
    texts: Vec<String>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    tokens: Vec<i32>,
    inputs: Vec<String>,
    /// By document and term.
    postings: BTreeMap<(Uuid, String), Vec<i64>>,
    length: i64,
}

pub async fn fill(app: &App, tenant: TenantId, set: &Set, model: &str) -> Result<Library, Failure> {
    let embedder = Embedder::resolve(app, tenant, model, &[])?;
    let collection = app.clock.uuid();
    let tx = app.db.tenant(tenant).await?;
    let name = format!("{} {collection}", set.name);
    let sql = "insert into collection (tenant_id, id, name, embedding_model) values ($1, $2, $3, $4)";
    tx.execute(sql, &[&collection, &name, &model]).await?;
    tx.commit().await?;
    let bar = terminal::bar(set.documents.len() as u64, &format!("{}: documents", set.name));
    let mut places = HashMap::new();
    for documents in set.documents.chunks(AT_ONCE) {
        let ids: Vec<Uuid> = documents.iter().map(|_| app.clock.uuid()).collect();
        for id in &ids {
            places.insert(*id, places.len());
        }
        store(app, tenant, &Shelf { collection, embedder: &embedder, ids: &ids }, documents).await?;
        progress(&bar, documents.len(), &set.name);
    }
    bar.finish_and_clear();
    let bot = Bot {
        id: collection,
        name: set.name.clone(),
        provider: docent::bots::EXTRACTIVE.to_owned(),
        collections: vec![collection],
        embedding_model: model.to_owned(),
        ..Bot::default()
    };
    Ok(Library { bot, embedder, places })
}

/// In a log there is no bar; a line every thousand says that the work goes on.
fn progress(bar: &ProgressBar, done: usize, name: &str) {
    let before = bar.position();
    bar.inc(done as u64);
    if bar.is_hidden() && before / 500 != bar.position() / 500 {
        terminal::note(&format!("· {name}: {} of {}", bar.position(), bar.length().unwrap_or(0)));
    }
}

struct Shelf<'a> {
    collection: Uuid,
    embedder: &'a Embedder,
    ids: &'a [Uuid],
}

async fn store(app: &App, tenant: TenantId, shelf: &Shelf<'_>, documents: &[Document]) -> Result<(), Failure> {
    let mut rows = Rows::default();
    let mut analyzer = Analyzer::default();
    for (id, document) in shelf.ids.iter().zip(documents) {
        rows.add(*id, document, &mut analyzer);
    }
    let by = Spender::documents(tenant);
    let mut vectors = Vec::new();
    for inputs in rows.inputs.chunks(AT_ONCE) {
        vectors
            .extend(shelf.embedder.embed_metered(app, by.clone(), false, Inputs::Documents(inputs.to_vec())).await?.0);
    }
    let vectors: Vec<Vector> = vectors.into_iter().map(Vector::from).collect();
    let vectors: Vec<&Vector> = vectors.iter().collect();
    let tx = app.db.tenant(tenant).await?;
    let names: Vec<&str> = documents.iter().map(|document| document.name.as_str()).collect();
    let titles: Vec<String> = documents.iter().map(|document| document.title.clone().unwrap_or_default()).collect();
    let ids = shelf.ids.to_vec();
    tx.execute(
        "insert into document (tenant_id, id, collection_id, filename, title, declared_size, object_key, status, current_revision,
           current_chunks, planned_chunks, stored_chunks)
         select $1, d.id, $2, d.name, nullif(d.title, ''), 0, 'eval/' || d.id, 'ready', 1, c.count, c.count, c.count
         from unnest($3, $4, $5) as d (id, name, title)
         cross join lateral (select count(*)::int4 as count from unnest($6) as r (document) where r.document = d.id) c",
        &[&shelf.collection, &ids, &names, &titles, &rows.documents],
    )
    .await?;
    let params: &[&dyn Param] = &[&rows.documents, &rows.ordinals, &rows.texts, &rows.starts, &rows.ends, &rows.tokens];
    tx.execute(
        "insert into chunk (tenant_id, document_id, revision, ordinal, text, span_start, span_end, tokens)
         select $1, r.document, 1, r.ordinal, r.text, r.first, r.last, r.tokens
         from unnest($2, $3, $4, $5, $6, $7) as r (document, ordinal, text, first, last, tokens)",
        params,
    )
    .await?;
    let model = shelf.embedder.name();
    tx.execute(
        "insert into embedding (tenant_id, model, document_id, revision, ordinal, vector)
         select $1, $2, r.document, 1, r.ordinal, r.vector from unnest($3, $4, $5) as r (document, ordinal, vector)",
        &[&model, &rows.documents, &rows.ordinals, &vectors],
    )
    .await?;
    postings(&tx, &rows).await?;
    tx.execute(
        "insert into collection_delta (tenant_id, collection_id, chunks, length) values ($1, $2, $3, $4)",
        &[&shelf.collection, &(rows.texts.len() as i64), &rows.length],
    )
    .await?;
    Ok(tx.commit().await?)
}

/// One flat array, cut into blocks by the server: arrays of arrays would have to be rectangular.
async fn postings(tx: &docent::db::TenantTx, rows: &Rows) -> Result<(), Failure> {
    let (mut documents, mut terms, mut firsts, mut lasts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut flat: Vec<i64> = Vec::new();
    for ((document, term), block) in &rows.postings {
        documents.push(*document);
        terms.push(term.as_str());
        firsts.push(small(flat.len() + 1));
        flat.extend(block);
        lasts.push(small(flat.len()));
    }
    tx.execute(
        "insert into posting (tenant_id, term, document_id, revision, first_ordinal, postings)
         select $1, p.term, p.document, 1, ($6[p.first] >> 32)::int4, $6[p.first : p.last]
         from unnest($2, $3, $4, $5) as p (document, term, first, last)",
        &[&documents, &terms, &firsts, &lasts, &flat],
    )
    .await?;
    Ok(())
}

fn small(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Rows {
    fn add(&mut self, id: Uuid, document: &Document, analyzer: &mut Analyzer) {
        // A document of no readable text has no chunks, and is never found.
        let read = |name| docent_text::extract(document.text.as_bytes(), name, None, &Budget::default());
        // What was read of a file is text, whatever the file is called.
        let Ok(extract) = read(&document.name).or_else(|_| read("text.txt")) else {
            return;
        };
        let title = document.title.as_deref().or(extract.title.as_deref());
        for chunk in docent_text::chunk(&extract, &ChunkOptions::default()) {
            let text = extract.text.get(chunk.start..chunk.end).unwrap_or_default();
            let input = docent_text::embed_input(title, &chunk.heading_path, text);
            let counted = analyzer.counts(&input);
            let (ordinal, length) = (i64::from(chunk.ordinal), counted.length);
            for (term, count) in counted.counts {
                let (count, length) = (i64::from(count.min(0xFFFF)), i64::from(length.min(0xFFFF)));
                self.postings.entry((id, term)).or_default().push(ordinal << 32 | count << 16 | length);
            }
            self.length += i64::from(length);
            self.documents.push(id);
            self.ordinals.push(small(chunk.ordinal as usize));
            self.starts.push(chunk.start as i64);
            self.ends.push(chunk.end as i64);
            self.tokens.push(small(chunk.tokens as usize));
            self.texts.push(text.to_owned());
            self.inputs.push(input);
        }
    }
}
