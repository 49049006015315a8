//! Whether each quote stands on the page that its citation names, in a text that another reader took from the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::judge::{Citation, Reply};
use crate::table::{self, Table};
use crate::{Outcome, rival};

pub fn print(folder: &Path, replies: &[Reply]) -> Outcome<()> {
    let cited: Vec<&Citation> =
        replies.iter().flat_map(|reply| &reply.citations).filter(|cited| cited.page.is_some()).collect();
    let mut files: Vec<PathBuf> = cited.iter().map(|citation| folder.join(&citation.file)).collect();
    files.sort();
    files.dedup();
    let read = rival::read(&rival::python()?, &files, true)?;
    let texts: BTreeMap<PathBuf, Vec<String>> = read.into_iter().map(|read| (read.file, read.texts)).collect();
    let (mut literal, mut letters) = (0, 0);
    let mut wrong = Vec::new();
    for citation in &cited {
        let pages = texts.get(&folder.join(&citation.file));
        let number = citation.page.and_then(|page| usize::try_from(page).ok()?.checked_sub(1)).unwrap_or(usize::MAX);
        let page = pages.and_then(|pages| pages.get(number)).map(String::as_str).unwrap_or_default();
        literal += usize::from(bare(page).contains(&bare(&citation.quote)));
        match letter(page).contains(&letter(&citation.quote)) {
            true => letters += 1,
            false => wrong.push(format!("{citation}: {:?}", citation.quote)),
        }
    }
    let head = ["comparison", "citations with a page", "quote stands on it"];
    let mut table = Table::new("Quotes against the page as pypdf reads it", &head);
    let row = |name: &str, count: usize| vec![name.to_owned(), cited.len().to_string(), count.to_string()];
    table.row(row("all but white space (NFKC)", literal));
    table.row(row("letters and digits alone", letters));
    table.print();
    if !wrong.is_empty() {
        table::line(&format!("\nNot on their pages:\n{}", wrong.join("\n")));
    }
    Ok(())
}

/// Ligatures become letters; where a line broke or how wide a gap is says nothing.
fn bare(text: &str) -> String {
    text.nfkc().filter(|letter| !letter.is_whitespace()).collect()
}

/// Readers differ in hyphens at line ends and in symbols of fonts without a Unicode table.
fn letter(text: &str) -> String {
    text.nfkc().filter(|letter| letter.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_ligatures_make_no_difference_but_words_do() {
        assert!(bare("the\n o\u{fb03}ce of").contains(&bare("office of")));
        assert!(!bare("Korrektur-\nvorschläge").contains(&bare("Korrekturvorschläge")));
        assert!(letter("Korrektur-\nvorschläge").contains(&letter("Korrekturvorschläge")));
        assert!(!letter("an office").contains(&letter("an officer")));
    }
}
