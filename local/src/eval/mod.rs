//! Retrieval, measured: the product's own chunks, terms, vectors and search statement over questions whose answers are
//! known. Public sets are read as their authors publish them; a tenant's own is a file of JSON Lines.

mod chroma;
mod golden;
mod library;
mod measure;
mod methods;
mod sets;
mod table;

use std::ops::Range;

pub use chroma::run as passages;
pub use golden::{compare, documents, questions, remote};
pub use measure::Account;
pub use methods::{Bench, Method, run};
pub use sets::{NAMES, load};
pub use table::{comparison, overview, passages_table};

/// A library and what is asked of it.
pub struct Set {
    pub name: String,
    pub documents: Vec<Document>,
    pub questions: Vec<Question>,
}

pub struct Document {
    pub name: String,
    pub title: Option<String>,
    pub text: String,
}

pub struct Question {
    pub text: String,
    /// Where the answer stands: any of these is right. Nowhere: a refusal is right.
    pub expected: Vec<Place>,
}

/// One place of a set's documents.
#[derive(Clone)]
pub struct Place {
    pub document: usize,
    /// Words that stand there.
    pub quote: Option<String>,
    /// Bytes of the document's text.
    pub span: Option<Range<usize>>,
    /// Counted from 1.
    pub page: Option<i32>,
}

impl Set {
    /// At most so many questions.
    pub fn sample(self, most: Option<usize>) -> Set {
        Set { questions: evenly(self.questions, most), ..self }
    }
}

/// At most so many of them, taken evenly from the whole.
fn evenly<T>(all: Vec<T>, most: Option<usize>) -> Vec<T> {
    let (count, most) = (all.len(), most.unwrap_or(usize::MAX).max(1));
    let kept = |place: usize| count <= most || (place * most).div_ceil(count) * count / most == place;
    all.into_iter().enumerate().filter(|(place, _)| kept(*place)).map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn a_sample_is_taken_from_the_whole() {
        for (count, most, expected) in [
            (10, Some(5), vec![0, 2, 4, 6, 8]),
            (10, Some(3), vec![0, 3, 6]),
            (3, Some(3), vec![0, 1, 2]),
            (2, None, vec![0, 1]),
            (0, Some(1), vec![]),
        ] {
            assert_eq!(evenly((0..count).collect(), most), expected);
        }
    }
}
