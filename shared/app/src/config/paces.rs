//! How fast providers may be asked for embeddings, where an operator knows better than the table of defaults.

use std::collections::BTreeMap;

use docent_llm::Pace;

use super::{Environment, Error};

/// `EMBEDDING_PACES`, for example `openai=5000/5000000,acme=none`: by provider, requests and tokens in a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paces(BTreeMap<String, Option<Pace>>);

const NAME: &str = "EMBEDDING_PACES";

impl Paces {
    pub fn read(environment: &Environment) -> Result<Paces, Error> {
        let parts = environment.get(NAME).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(entry).collect::<Option<_>>().map(Paces).ok_or_else(|| {
            Error::new(NAME, "is not a list of paces.", "Write provider=requests/tokens or provider=none, by commas.")
        })
    }

    /// The operator's word, or else the provider's own.
    pub fn of(&self, provider: &str, own: Option<Pace>) -> Option<Pace> {
        self.0.get(provider).copied().unwrap_or(own)
    }
}

fn entry(part: &str) -> Option<(String, Option<Pace>)> {
    let (provider, pace) = part.split_once('=')?;
    let pace = match pace.trim() {
        "none" => None,
        pace => {
            let (requests, tokens) = pace.split_once('/')?;
            let number = |text: &str| text.trim().parse().ok().filter(|number: &u32| *number > 0);
            Some(Pace { requests: number(requests)?, tokens: number(tokens)? })
        }
    };
    Some((provider.trim().to_owned(), pace)).filter(|(provider, _)| !provider.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_by_provider() {
        let read = |text: &str| Paces::read(&Environment::default().with(NAME, text));
        let pace = |requests, tokens| Some(Pace { requests, tokens });
        let paces = read(" openai=5000/5000000, acme = none ,").unwrap();
        assert_eq!(paces.of("openai", pace(1, 1)), pace(5000, 5_000_000));
        assert_eq!(paces.of("acme", pace(1, 1)), None);
        assert_eq!(paces.of("voyage", pace(1, 1)), pace(1, 1));
        assert_eq!(Paces::read(&Environment::default()).unwrap(), Paces::default());
        for bad in ["openai", "openai=5", "openai=0/5", "openai=5/x", "=1/1", "a=1/1;b=1/1"] {
            let error = read(bad).unwrap_err();
            assert!(error.to_string().contains(NAME), "{bad}: {error}");
        }
    }
}
