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
pub use golden::{documents, questions, remote};
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
}

impl Set {
    /// At most so many questions, taken evenly from the whole set.
    pub fn sample(mut self, most: Option<usize>) -> Set {
        let (all, most) = (self.questions.len(), most.unwrap_or(usize::MAX).max(1));
        if all > most {
            let kept: Vec<usize> = (0..most).map(|n| n * all / most).collect();
            let mut number = 0;
            self.questions.retain(|_| {
                number += 1;
                kept.binary_search(&(number - 1)).is_ok()
            });
        }
        self
    }
}
