//! Who answers: the bot's model, the one that answers in its place when it cannot begin, the documents themselves, or
//! nobody.

use uuid::Uuid;

use super::MOST_ANSWER_TOKENS;
use crate::App;
use crate::auth::Caller;
use crate::bots::Bot;
use crate::chat::extractive;
use crate::error::Result;
use crate::keys::{self, Account, Sealed};
use crate::usage::{self, Call, PaidBy, Spender, Spending};

pub struct Answerer {
    pub how: How,
    /// What clients are shown.
    pub label: String,
    pub model: String,
    /// The provider key that a model is asked with.
    pub key: Option<Uuid>,
    /// What asking the model may cost; none for answers that no provider gives.
    pub spending: Option<Spending>,
}

pub enum How {
    Extractive,
    Model(Account),
    /// Nothing that was found answers the question: no model is asked, nothing is spent.
    Refusal,
}

/// What the choice depends on.
pub struct Asked<'a> {
    pub caller: &'a Caller,
    pub bot: &'a Bot,
    pub keys: &'a [Sealed],
    /// Tokens that the prompt holds at most.
    pub most_input: u64,
}

/// What an answerer's end books, whoever is left to book it.
#[derive(Clone, Debug)]
pub struct Book {
    pub key: Option<Uuid>,
    pub spending: Option<Spending>,
}

impl Answerer {
    pub fn refusal() -> Answerer {
        Answerer { how: How::Refusal, label: "refusal".to_owned(), model: String::new(), key: None, spending: None }
    }

    fn new(app: &App, asked: &Asked<'_>, provider: &str, model: &str) -> Result<Answerer> {
        if provider == extractive::LABEL {
            return Ok(Answerer { how: How::Extractive, label: extractive::LABEL.to_owned(), ..Answerer::refusal() });
        }
        let account = keys::account(app, asked.caller.tenant, provider, asked.keys)?;
        let call = Call {
            kind: usage::Kind::Chat,
            provider,
            model,
            paid_by: PaidBy::of(account.of_operator),
            most_input: asked.most_input,
            most_output: u64::from(MOST_ANSWER_TOKENS),
        };
        Ok(Answerer {
            spending: Some(Spending::new(app, Spender::of(asked.caller), &call)),
            how: How::Model(account),
            label: format!("{provider}/{model}"),
            model: model.to_owned(),
            key: asked.keys.iter().find(|key| key.provider == provider).map(|key| key.id),
        })
    }
}

/// Who answers, and then who does when he cannot begin. One without a usable account cannot begin at all.
pub fn chosen(app: &App, asked: &Asked<'_>) -> Result<Vec<Answerer>> {
    let Bot { provider, model, fallback_provider, fallback_model, .. } = asked.bot;
    let first = Answerer::new(app, asked, provider, model);
    if fallback_provider.is_empty() {
        return Ok(vec![first?]);
    }
    match (first, Answerer::new(app, asked, fallback_provider, fallback_model)) {
        (Ok(mut first), Ok(mut second)) => {
            if let (Some(one), Some(other)) = (&mut first.spending, &mut second.spending) {
                one.share(other);
            }
            Ok(vec![first, second])
        }
        (Ok(only), Err(error)) => {
            tracing::warn!(cause = ?error, "chat.answer has no fallback");
            Ok(vec![only])
        }
        (Err(error), Ok(only)) => {
            tracing::warn!(cause = ?error, "chat.answer falls back at once");
            Ok(vec![only])
        }
        (Err(error), Err(_)) => Err(error),
    }
}

pub fn books(answerers: &[Answerer]) -> Vec<Book> {
    answerers.iter().map(|one| Book { key: one.key, spending: one.spending.clone() }).collect()
}

/// Each reservation once, in the order in which their counters are locked everywhere.
pub fn distinct<'a>(spendings: impl Iterator<Item = &'a Spending>) -> impl Iterator<Item = &'a Spending> {
    let mut all: Vec<&Spending> = spendings.collect();
    all.sort_by_key(|spending| spending.paid_by().as_str());
    all.dedup_by_key(|spending| spending.id());
    all.into_iter()
}
