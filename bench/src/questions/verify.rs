//! Whether each quote stands on the page that its citation names, in texts that two other readers took from the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::judge::{Citation, Reply};
use crate::Outcome;
use crate::rival::{self, Reader};
use crate::table::{self, Table};

/// The pages of each file, as one reader sees them.
type Texts = BTreeMap<PathBuf, Vec<String>>;

/// How alike a quote and a page are; the first that holds counts.
/// Whether a page holds a quote, by one way of comparing.
type Holds = fn(&str, &str) -> bool;

const WAYS: [(&str, Holds); 3] = [
    ("verbatim, but for white space (NFKC)", |page, quote| bare(page).contains(&bare(quote))),
    ("letters and digits in the same order", |page, quote| letters(page).contains(&letters(quote))),
    ("its words, nine of ten, in any order", words),
];

pub fn print(folder: &Path, replies: &[Reply]) -> Outcome<()> {
    let cited: Vec<&Citation> =
        replies.iter().flat_map(|reply| &reply.citations).filter(|cited| cited.page.is_some()).collect();
    let texts = texts(folder, &cited)?;
    let mut counts = [0; WAYS.len()];
    let (mut elsewhere, mut nowhere) = (Vec::new(), Vec::new());
    for citation in &cited {
        let file = folder.join(&citation.file);
        let way = |page: u64| {
            WAYS.iter().position(|(_, alike)| pages(&texts, &file, page).any(|text| alike(text, &citation.quote)))
        };
        let line =
            |found: String| format!("{citation}{found}: {:?}", citation.quote.chars().take(160).collect::<String>());
        match citation.page.and_then(way) {
            Some(way) => counts.iter_mut().skip(way).take(1).for_each(|count| *count += 1),
            None => match (1..=last(&texts, &file)).find(|page| way(*page).is_some()) {
                Some(page) => elsewhere.push(line(format!(", but it stands on page {page}"))),
                None => nowhere.push(line(String::new())),
            },
        }
    }
    let mut table = Table::new(
        "Quotes against the cited page, as pypdf or pdfium reads it",
        &["the quote stands there", "citations"],
    );
    let rows = WAYS.iter().map(|(name, _)| *name).zip(counts);
    let ends = [
        ("on another page of the file", elsewhere.len()),
        ("on no page", nowhere.len()),
        ("all with a page", cited.len()),
    ];
    rows.chain(ends).for_each(|(name, count)| table.row(vec![name.to_owned(), count.to_string()]));
    table.print();
    for line in elsewhere.iter().chain(&nowhere) {
        table::line(&format!("- {line}"));
    }
    Ok(())
}

fn texts(folder: &Path, cited: &[&Citation]) -> Outcome<[Texts; 2]> {
    let mut files: Vec<PathBuf> = cited.iter().map(|citation| folder.join(&citation.file)).collect();
    files.sort();
    files.dedup();
    let python = rival::python()?;
    let read = |reader| -> Outcome<Texts> {
        Ok(rival::read(reader, &python, &files, true)?.into_iter().map(|read| (read.file, read.texts)).collect())
    };
    Ok([read(Reader::Pypdf)?, read(Reader::Pdfium)?])
}

fn pages<'a>(texts: &'a [Texts; 2], file: &'a Path, page: u64) -> impl Iterator<Item = &'a str> {
    let index = usize::try_from(page).ok().and_then(|page| page.checked_sub(1)).unwrap_or(usize::MAX);
    texts.iter().filter_map(move |texts| texts.get(file)?.get(index)).map(String::as_str)
}

fn last(texts: &[Texts; 2], file: &Path) -> u64 {
    texts.iter().filter_map(|texts| texts.get(file)).map(|pages| pages.len() as u64).max().unwrap_or_default()
}

/// Ligatures become letters; where a line broke or how wide a gap is says nothing.
fn bare(text: &str) -> String {
    text.nfkc().filter(|letter| !letter.is_whitespace()).collect()
}

/// Readers differ in hyphens at line ends and in symbols of fonts without a Unicode table.
fn letters(text: &str) -> String {
    text.nfkc().filter(|letter| letter.is_alphanumeric()).collect()
}

/// Formulas and tables come in as many orders as there are readers.
fn words(page: &str, quote: &str) -> bool {
    let page = letters(page);
    let quote: String = quote.nfkc().collect();
    let words: Vec<&str> =
        quote.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.chars().count() > 2).collect();
    let found = words.iter().filter(|word| page.contains(**word)).count();
    !words.is_empty() && found * 10 >= words.len() * 9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_ligatures_make_no_difference_but_words_do() {
        assert!(bare("the\n o\u{fb03}ce of").contains(&bare("office of")));
        assert!(!bare("Korrektur-\nvorschläge").contains(&bare("Korrekturvorschläge")));
        assert!(letters("Korrektur-\nvorschläge").contains(&letters("Korrekturvorschläge")));
        assert!(!letters("an office").contains(&letters("an officer")));
        assert!(words("Krümmung der Kugel R2 = x", "Kugel = R3, Krümmung"));
        assert!(!words("Krümmung der Kugel", "Krümmung des Torus"));
        assert!(!words("anything", "x = 1"));
    }
}
