//! Accounts as tables that can be pasted into a README.

use super::chroma::Passages;
use super::measure::{Account, Scores};
use crate::command::Failure;

pub fn overview(accounts: &[Account]) -> String {
    let head = [
        "set",
        "configuration",
        "questions",
        "nDCG@10",
        "recall@10",
        "MRR",
        "citations",
        "refusals",
        "p50 ms",
        "p95 ms",
    ];
    let row = |account: &Account| {
        let Scores { questions, ndcg, recall, mrr, citations, refusals, p50, p95 } = account.scores();
        let mut cells = vec![account.set.clone(), account.label.clone(), questions.to_string()];
        cells.extend([ndcg, recall, mrr, citations, refusals].map(|share| number(share, 3)));
        cells.extend([p50, p95].map(|milliseconds| number(milliseconds, 1)));
        cells
    };
    table(&head, accounts.iter().map(row).collect())
}

/// Two configurations side by side, by what they are called in the overview.
pub fn comparison(accounts: &[Account], first: &str, second: &str) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for one in accounts.iter().filter(|account| account.label == first) {
        let Some(other) = accounts.iter().find(|other| other.label == second && other.set == one.set) else { continue };
        let (ndcg, against) = (one.scores().ndcg, other.scores().ndcg);
        let difference = ndcg.zip(against).map(|(one, other)| format!("{:+.3}", other - one)).unwrap_or("–".to_owned());
        rows.push(vec![one.set.clone(), number(ndcg, 3), number(against, 3), difference]);
    }
    if rows.is_empty() {
        let known: std::collections::BTreeSet<&str> = accounts.iter().map(|account| account.label.as_str()).collect();
        let hint = format!("Name two of: {}.", known.into_iter().collect::<Vec<_>>().join(", "));
        return Err(Failure::new(format!("There is nothing to compare as `{first}` and `{second}`."), hint));
    }
    Ok(table(&["nDCG@10", first, second, "difference"], rows))
}

pub fn passages_table(passages: &Passages) -> String {
    let Passages { recall, precision, omega, mean_characters, questions } = passages;
    let head = ["set", "questions", "recall@5", "precision@5", "p_omega", "mean characters"];
    let mut cells = vec!["chroma_chunking".to_owned(), questions.to_string()];
    cells.extend([recall, precision, omega].map(|share| format!("{share:.1}")));
    cells.push(format!("{mean_characters:.0}"));
    table(&head, vec![cells])
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
        format!("| {} |", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule =
        format!("|{}|", (0..head.len()).map(|column| "-".repeat(width(column) + 2)).collect::<Vec<_>>().join("|"));
    let body = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    [line(head.to_vec()), rule].into_iter().chain(body).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["długi".to_owned(), "1".to_owned()]];
        assert_eq!(table(&["a", "bb"], rows), "| a     | bb |\n|-------|----|\n| długi | 1  |");
    }
}
