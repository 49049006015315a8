//! Citations: which sources an answer names, and the sentence of each that supports it, verbatim.

use std::collections::BTreeSet;

use super::support;
use crate::search::Hit;

/// A sentence longer than this is no sentence.
const LONGEST_CLAIM: usize = 2_000;

/// A source that the answer names, with the words that stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// Counted from 1, as in the text's `[1]`.
    pub number: usize,
    pub page: Option<i32>,
    /// A slice of the stored chunk, never of the answer.
    pub quote: String,
}

/// The markers `[n]` of `answer` that name one of `hits`, each with the best supporting sentence of its chunk.
pub fn cited(answer: &str, hits: &[Hit]) -> Vec<Citation> {
    let mut seen = BTreeSet::new();
    let mut citations = Vec::new();
    for (at, number) in markers(answer) {
        if let Some(hit) = number.checked_sub(1).and_then(|index| hits.get(index))
            && seen.insert(number)
        {
            let quote = best_sentence(claim_before(answer, at), &hit.text);
            citations.push(Citation { number, page: hit.page_first, quote: quote.to_owned() });
        }
    }
    citations
}

/// Those of [`cited`] whose passage supports the sentence that carries them: one such sentence for each is enough, and
/// the quote is the one that supports it.
pub fn supported(answer: &str, hits: &[Hit]) -> Vec<Citation> {
    let mut seen = BTreeSet::new();
    let mut citations = Vec::new();
    for (at, number) in markers(answer) {
        if let Some(hit) = number.checked_sub(1).and_then(|index| hits.get(index))
            && !seen.contains(&number)
            && let claim = claim_before(answer, at)
            && support::supports(claim, &hit.text)
        {
            seen.insert(number);
            let quote = best_sentence(claim, &hit.text).to_owned();
            citations.push(Citation { number, page: hit.page_first, quote });
        }
    }
    citations
}

/// Positions and numbers of `[n]`.
fn markers(answer: &str) -> impl Iterator<Item = (usize, usize)> {
    answer.match_indices('[').filter_map(|(at, _)| {
        // At most three digits and the bracket: an answer full of `[` must not be read again for each of them.
        let close = answer.as_bytes()[at + 1..].iter().take(4).position(|byte| *byte == b']')?;
        let number = answer.get(at + 1..at + 1 + close)?;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| number.parse().ok().map(|number| (at, number)))?
    })
}

/// The sentence that carries the marker at `at`.
fn claim_before(answer: &str, at: usize) -> &str {
    let from = (at.saturating_sub(LONGEST_CLAIM)..=at).find(|from| answer.is_char_boundary(*from)).unwrap_or(at);
    let before = answer[from..at].trim_end();
    docent_text::sentences(before).last().map_or(before, |range| &before[range.clone()])
}

/// The sentence of `passage` that shares most terms with `claim`; the first one when none does.
pub fn best_sentence<'a>(claim: &str, passage: &'a str) -> &'a str {
    let wanted: BTreeSet<String> = docent_text::terms(claim).into_iter().collect();
    let mut best = (0, passage.trim());
    for (index, range) in docent_text::sentences(passage).into_iter().enumerate() {
        let sentence = &passage[range];
        let shared = docent_text::terms(sentence).into_iter().collect::<BTreeSet<_>>().intersection(&wanted).count();
        if index == 0 || shared > best.0 {
            best = (shared, sentence);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn hit(text: &str, page: i32) -> Hit {
        Hit {
            revision: 1,
            text: text.to_owned(),
            page_first: Some(page),
            page_last: Some(page),
            span: (0, text.len() as i64),
            filename: "a.pdf".to_owned(),
            score: 1.0,
            ..Hit::default()
        }
    }

    #[test]
    fn a_citation_quotes_the_sentence_that_supports_it() {
        let hits = [hit("Snow is cold. Lava is hot rock. Rain is wet.", 3), hit("Tea is a drink.", 4)];
        let answer = "Lava is very hot [1]. Tea is drunk [2][9]. Once more lava [1]. Not one: [x] [0] [1234] [";
        let found = cited(answer, &hits);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].number, found[0].page, found[0].quote.as_str()), (1, Some(3), "Lava is hot rock."));
        assert_eq!((found[1].number, found[1].page, found[1].quote.as_str()), (2, Some(4), "Tea is a drink."));
        assert!(found.iter().all(|citation| hits[citation.number - 1].text.contains(&citation.quote)));
    }
}
