//! The only place that prints: tables in Markdown on standard output, what is under way on standard error.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]

use std::time::Duration;

pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: impl Into<String>, head: &[&str]) -> Table {
        Table { title: title.into(), rows: vec![head.iter().map(|name| (*name).to_owned()).collect()] }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// More cells for a row that is there already, counted without the head.
    pub fn extend(&mut self, row: usize, cells: Vec<String>) {
        if let Some(row) = self.rows.get_mut(row + 1) {
            row.extend(cells);
        }
    }

    /// The first column is left-aligned, all others are numbers.
    pub fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let width = |column| self.rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0).max(3);
        println!("\n{}\n", self.title);
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = (0..columns)
                .map(|column| match column {
                    0 => format!("{:<1$}", cell(row, 0), width(0)),
                    _ => format!("{:>1$}", cell(row, column), width(column)),
                })
                .collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                let rules: Vec<String> = (0..columns).map(|column| rule(column, width(column))).collect();
                println!("|{}|", rules.join("|"));
            }
        }
    }
}

fn rule(column: usize, width: usize) -> String {
    if column == 0 { "-".repeat(width + 2) } else { format!("{}:", "-".repeat(width + 1)) }
}

pub fn line(text: &str) {
    println!("{text}");
}

pub fn note(text: &str) {
    eprintln!("{text}");
}

pub fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

pub fn seconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64())
}

/// Decimal megabytes per second.
pub fn rate(bytes: usize, duration: Duration) -> String {
    format!("{:.2}", bytes as f64 / 1e6 / duration.as_secs_f64())
}

pub fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1}", kibibytes as f64 / 1024.0)
}

/// The value below which `part` of the sorted values lie.
pub fn quantile<T: Copy>(sorted: &[T], part: f64) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * part).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let sorted = [1, 2, 3, 4, 100];
        assert_eq!(quantile(&sorted, 0.0), Some(1));
        assert_eq!(quantile(&sorted, 0.5), Some(3));
        assert_eq!(quantile(&sorted, 0.9), Some(100));
        assert_eq!(quantile::<u8>(&[], 0.5), None);
    }
}
