//! How many of the ten nearest are found, and how many rows come at all, by tenants of every size in one database.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::library::{Library, Place};
use super::ours::Searcher;
use super::{DIMENSIONS, Found, Options, Question, milliseconds, part_of};
use crate::Outcome;
use crate::table::Table;

/// The lists that are fused are this long.
const LIST: i32 = 50;
const NEAREST: usize = 10;

/// The usual template: pgvector's defaults, one index, and a predicate.
const PLAIN: &str = "create index if not exists everybody on embedding_minilm_l6_v2
    using hnsw ((vector::vector(384)) vector_cosine_ops)";

pub async fn run(options: &Options, place: &Place) -> Outcome<()> {
    let sizes: Vec<u64> = options.recall.iter().copied().filter(|chunks| *chunks > 0).collect();
    let rows: Vec<String> =
        sizes.iter().enumerate().map(|(number, chunks)| format!("({}, {chunks})", number + 1)).collect();
    let name = format!("bench_recall_{}", sizes.iter().map(u64::to_string).collect::<Vec<_>>().join("_"));
    let tenancy = format!("values {}", rows.join(", "));
    let library = Library::filled(place, &name, &tenancy, sizes.len() as u64).await?;
    let tenants = library.some(sizes.len());
    let title = format!("Tenants in one database under row security, vectors of {DIMENSIONS} dimensions alone");
    let head = [
        "chunks",
        "own index",
        "recall@10",
        "rows of 50, least",
        "p50 ms",
        "exact p50 ms",
        "plain index: recall@10",
        "rows of 10, least",
        "mean",
    ];
    let mut table = Table::new(title, &head);
    let mut cases = Vec::new();
    for (tenant, chunks) in tenants.iter().zip(&sizes) {
        // An exact scan of a million vectors takes its time.
        let count = if *chunks > 100_000 { options.questions.div_ceil(4) } else { options.questions };
        let mut questions = library.questions(std::slice::from_ref(tenant), count)?;
        questions.iter_mut().for_each(|question| question.terms.clear());
        let exact = neighbours(&library, &questions, false)?;
        cases.push(Case { tenant: tenant.clone(), chunks: *chunks, questions, exact, read_all: f64::NAN });
    }
    // First all by reading everything, then with the indexes that the operator makes.
    for case in &mut cases {
        let searched = searched(&library, case).await?;
        case.read_all = median(&searched);
    }
    for case in &cases {
        let indexed = library.reindex(std::slice::from_ref(&case.tenant), place.memory).await?;
        let searched = searched(&library, case).await?;
        let least = searched.iter().map(|found| found.rows).min().unwrap_or_default();
        let mut cells = vec![case.chunks.to_string(), if indexed { "yes" } else { "no" }.to_owned()];
        cells.extend([format!("{:.4}", case.recall(&searched)), format!("{least} of {}", case.chunks.min(50))]);
        cells.extend([milliseconds(median(&searched)), milliseconds(case.read_all)]);
        table.row(cells);
    }
    library.ask::<Value>(&json!({ "verb": "sql", "url": library.admin, "statements": [PLAIN] }))?;
    for (row, case) in cases.iter().enumerate() {
        let plain = neighbours(&library, &case.questions, true)?;
        let rows: Vec<usize> = plain.iter().map(|found| found.places.len()).collect();
        let mean = rows.iter().sum::<usize>() as f64 / rows.len().max(1) as f64;
        let least = rows.iter().min().copied().unwrap_or_default();
        table.extend(row, vec![format!("{:.4}", case.recall(&plain)), least.to_string(), format!("{mean:.1}")]);
    }
    table.print();
    Ok(())
}

struct Case {
    tenant: String,
    chunks: u64,
    questions: Vec<Question>,
    exact: Vec<Found>,
    read_all: f64,
}

impl Case {
    /// The share of the ten nearest (or of all, where there are fewer) that were found, over all questions.
    fn recall(&self, found: &[Found]) -> f64 {
        let shares = self.exact.iter().zip(found).map(|(exact, found)| {
            let nearest: HashSet<_> = exact.places.iter().collect();
            let right = found.places.iter().take(NEAREST).filter(|place| nearest.contains(place)).count();
            right as f64 / nearest.len().max(1) as f64
        });
        shares.sum::<f64>() / self.exact.len().max(1) as f64
    }
}

async fn searched(library: &Library, case: &Case) -> Outcome<Vec<Found>> {
    let searcher = Searcher::new(library).await?;
    let mut found = Vec::new();
    for question in &case.questions {
        found.push(searcher.search(question, LIST).await?);
    }
    Ok(found)
}

fn neighbours(library: &Library, questions: &[Question], plain: bool) -> Outcome<Vec<Found>> {
    library.ask(&json!({ "verb": "neighbours", "url": library.admin, "questions": questions, "plain": plain }))
}

fn median(found: &[Found]) -> f64 {
    part_of(&found.iter().map(|found| found.seconds).collect::<Vec<_>>(), 0.5)
}
