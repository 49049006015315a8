//! Rerankers: a model that reads the question beside each passage. Three vendors, one shape with small differences.
//! <https://docs.cohere.com/reference/rerank>, <https://docs.voyageai.com/reference/reranker-api>,
//! <https://api.jina.ai/redoc#tag/rerank>

use serde::Deserialize;
use serde_json::json;

use crate::dialect::{Call, join, versioned};
use crate::{Endpoint, Error, ErrorKind, KeyCheck, cohere};

/// Passages of one request: Voyage's and Cohere's documented most.
pub const MOST_PASSAGES: usize = 1000;

/// A passage by its place in the request, and how well it answers the question: higher is better, of no fixed range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    pub index: usize,
    pub score: f64,
}

/// What is asked of a reranker.
#[derive(Clone, Debug)]
pub struct RerankRequest<'r> {
    pub model: &'r str,
    pub query: &'r str,
    pub passages: &'r [String],
    /// How many of the best are wanted.
    pub top: usize,
}

pub(crate) fn call(endpoint: &Endpoint, request: &RerankRequest<'_>) -> Result<Call, Error> {
    let RerankRequest { model, query, passages, top } = request;
    if passages.len() > MOST_PASSAGES {
        return Err(Error::new(ErrorKind::Rejected, "A reranker takes at most 1,000 passages."));
    }
    let mut body = json!({ "model": model, "query": query, "documents": passages });
    let (url, most) = match endpoint.key_check {
        KeyCheck::Cohere => (join(&cohere::home(endpoint), &["v2", "rerank"])?, "top_n"),
        KeyCheck::Voyage => (versioned(&endpoint.base_url, "v1", &["rerank"])?, "top_k"),
        _ => {
            body["return_documents"] = false.into();
            (versioned(&endpoint.base_url, "v1", &["rerank"])?, "top_n")
        }
    };
    body[most] = (*top).into();
    Call::post(url, endpoint, &body)
}

#[derive(Deserialize)]
struct Reply {
    #[serde(alias = "data")]
    results: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: usize,
    relevance_score: f64,
}

/// Best first; a place that does not exist, comes twice or has no finite score is no ranking.
pub(crate) fn ranked(body: &[u8], passages: usize) -> Result<Vec<Ranked>, Error> {
    let reply: Reply = serde_json::from_slice(body).map_err(|_| Error::from(ErrorKind::Protocol))?;
    let mut seen = vec![false; passages];
    let mut ranked = Vec::with_capacity(reply.results.len());
    for One { index, relevance_score: score } in reply.results {
        match seen.get_mut(index) {
            Some(seen) if !*seen && score.is_finite() => *seen = true,
            _ => return Err(Error::protocol("The reranker's places are not those of the passages.")),
        }
        ranked.push(Ranked { index, score });
    }
    if ranked.is_empty() {
        return Err(Error::protocol("The reranker ranked nothing."));
    }
    ranked.sort_by(|one, other| other.score.total_cmp(&one.score));
    Ok(ranked)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{Dialect, Url};

    fn asked(base: &str, key_check: KeyCheck) -> (String, Value) {
        let base_url = Url::parse(base).unwrap();
        let endpoint = Endpoint { dialect: Dialect::OpenAi, key_check, base_url, key: None };
        let passages = ["a".to_owned(), "b".to_owned()];
        let call = call(&endpoint, &RerankRequest { model: "m", query: "q", passages: &passages, top: 1 }).unwrap();
        (call.url.to_string(), serde_json::from_slice(&call.body.unwrap()).unwrap())
    }

    #[test]
    fn each_vendor_is_asked_in_its_own_words() {
        let common = json!({ "model": "m", "query": "q", "documents": ["a", "b"] });
        let with = |more: Value| {
            let mut body = common.clone();
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        for (base, check, url, more) in [
            (
                "https://api.cohere.ai/compatibility/v1",
                KeyCheck::Cohere,
                "https://api.cohere.ai/v2/rerank",
                json!({ "top_n": 1 }),
            ),
            ("https://api.cohere.com", KeyCheck::Cohere, "https://api.cohere.com/v2/rerank", json!({ "top_n": 1 })),
            (
                "https://api.voyageai.com/v1",
                KeyCheck::Voyage,
                "https://api.voyageai.com/v1/rerank",
                json!({ "top_k": 1 }),
            ),
            (
                "https://api.jina.ai",
                KeyCheck::Models,
                "https://api.jina.ai/v1/rerank",
                json!({ "top_n": 1, "return_documents": false }),
            ),
        ] {
            assert_eq!(asked(base, check), (url.to_owned(), with(more)), "{base}");
        }
    }

    #[test]
    fn a_ranking_names_each_passage_at_most_once() {
        let best = Ranked { index: 1, score: 0.9 };
        let good: [(&[u8], &[Ranked]); 2] = [
            (
                br#"{"results":[{"index":0,"relevance_score":0.1},{"index":1,"relevance_score":0.9}]}"#,
                &[best, Ranked { index: 0, score: 0.1 }],
            ),
            (br#"{"object":"list","data":[{"index":1,"relevance_score":0.9}],"usage":{"total_tokens":9}}"#, &[best]),
        ];
        for (body, expected) in good {
            assert_eq!(ranked(body, 2).unwrap(), expected);
        }
        let bad: [&[u8]; 7] = [
            br#"{"results":[]}"#,
            b"",
            b"<html>",
            br#"{"results":[{"index":2,"relevance_score":1}]}"#,
            br#"{"results":[{"index":-1,"relevance_score":1}]}"#,
            br#"{"results":[{"index":0,"relevance_score":1},{"index":0,"relevance_score":1}]}"#,
            br#"{"results":[{"index":0,"relevance_score":null}]}"#,
        ];
        for body in bad {
            assert_eq!(ranked(body, 2).unwrap_err().code(), "provider_protocol", "{}", String::from_utf8_lossy(body));
        }
    }
}
