//! What can be said about a bot, and the limits of each part. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::EXTRACTIVE;
use super::manner::Manner;
use super::widget::{self, Shown};
use crate::error::{Error, Result};

/// Limits in characters; the schema knows them too.
pub const NAME_LIMIT: usize = 200;
pub const INSTRUCTIONS_LIMIT: usize = 20_000;
pub const MODEL_LIMIT: usize = 200;
pub const REFUSAL_LIMIT: usize = 2_000;
/// Bytes of a provider's name.
pub const PROVIDER_LIMIT: usize = 32;
/// Collections per bot: every one of them is searched for every question.
pub const COLLECTIONS_LIMIT: usize = 32;

const REFUSAL: &str = "I could not find that in the documents.";

/// All that a bot's keeper decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    pub name: String,
    pub instructions: String,
    pub provider: String,
    pub model: String,
    pub refusal: String,
    pub collections: Vec<Uuid>,
    pub fallback_provider: String,
    pub fallback_model: String,
    pub resumable: bool,
    pub manner: Manner,
    pub shown: Shown,
}

/// The parts that a request names; the others stay as they are.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "BotFields")]
pub struct Change {
    #[schemars(length(min = 1, max = NAME_LIMIT))]
    name: Option<String>,
    #[schemars(length(max = INSTRUCTIONS_LIMIT))]
    instructions: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    refusal: Option<String>,
    collections: Option<Vec<Uuid>>,
    fallback_provider: Option<String>,
    fallback_model: Option<String>,
    resumable: Option<bool>,
    tone: Option<String>,
    language: Option<String>,
    history_length: Option<i32>,
    /// Null: the model's own.
    #[serde(default, deserialize_with = "named")]
    temperature: Option<Option<f64>>,
    greeting: Option<String>,
    suggestions: Option<Vec<String>>,
    widget: Option<widget::Change>,
}

/// Tells a field that is null from one that is not there.
pub fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(given: D) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(given).map(Some)
}

impl Change {
    pub fn names_collections(&self) -> bool {
        self.collections.is_some()
    }

    pub fn over(self, fields: Fields) -> Fields {
        let mut collections = self.collections.unwrap_or(fields.collections);
        collections.sort_unstable();
        collections.dedup();
        let Manner { tone, language, history_length, temperature } = fields.manner;
        let Shown { greeting, suggestions, widget } = fields.shown;
        Fields {
            name: self.name.unwrap_or(fields.name),
            instructions: self.instructions.unwrap_or(fields.instructions),
            provider: self.provider.unwrap_or(fields.provider),
            model: self.model.unwrap_or(fields.model),
            refusal: self.refusal.unwrap_or(fields.refusal),
            collections,
            fallback_provider: self.fallback_provider.unwrap_or(fields.fallback_provider),
            fallback_model: self.fallback_model.unwrap_or(fields.fallback_model),
            resumable: self.resumable.unwrap_or(fields.resumable),
            manner: Manner {
                tone: self.tone.unwrap_or(tone),
                language: self.language.unwrap_or(language),
                history_length: self.history_length.unwrap_or(history_length),
                temperature: self.temperature.unwrap_or(temperature),
            },
            shown: Shown {
                greeting: self.greeting.unwrap_or(greeting),
                suggestions: self.suggestions.unwrap_or(suggestions),
                widget: self.widget.unwrap_or_default().over(widget),
            },
        }
    }
}

impl Fields {
    /// A bot before anything was said about it; its name must still be given.
    pub fn initial(collections: Vec<Uuid>) -> Fields {
        Fields {
            name: String::new(),
            instructions: String::new(),
            provider: EXTRACTIVE.to_owned(),
            model: String::new(),
            refusal: REFUSAL.to_owned(),
            collections,
            fallback_provider: String::new(),
            fallback_model: String::new(),
            resumable: false,
            manner: Manner::default(),
            shown: Shown::default(),
        }
    }

    pub fn check(self) -> Result<Fields> {
        text("name", &self.name, 1, NAME_LIMIT)?;
        text("instructions", &self.instructions, 0, INSTRUCTIONS_LIMIT)?;
        text("model", &self.model, 0, MODEL_LIMIT)?;
        text("refusal", &self.refusal, 1, REFUSAL_LIMIT)?;
        self.manner.check()?;
        self.shown.check()?;
        answerer(["provider", "model"], &self.provider, &self.model)?;
        text("fallbackModel", &self.fallback_model, 0, MODEL_LIMIT)?;
        // None is to fall back on, and then a model's name means nothing.
        if !self.fallback_provider.is_empty() {
            answerer(["fallbackProvider", "fallbackModel"], &self.fallback_provider, &self.fallback_model)?;
        }
        if self.collections.len() > COLLECTIONS_LIMIT {
            return Err(Error::invalid(format!("`collections` names more than {COLLECTIONS_LIMIT}.")));
        }
        if self.collections.is_empty() {
            return Err(Error::invalid("`collections` names none, so the bot would know nothing.")
                .hint("GET /api/bots shows the collections of other bots."));
        }
        Ok(self)
    }
}

/// A provider's name, and a model's where it needs one.
fn answerer([field, model_field]: [&str; 2], provider: &str, model: &str) -> Result<()> {
    let mut letters = provider.bytes();
    let lawful = letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && provider.len() <= PROVIDER_LIMIT;
    if !lawful {
        return Err(Error::invalid(format!(
            "`{field}` is `{EXTRACTIVE}` or the name of a provider, such as `openai`."
        ))
        .hint("GET /api/keys lists the providers that have a key."));
    }
    if provider != EXTRACTIVE && model.trim().is_empty() {
        return Err(Error::invalid(format!("`{model_field}` is needed with the provider `{provider}`.")));
    }
    Ok(())
}

/// A text of so many characters, other than spaces where it must hold some.
pub fn text(field: &str, value: &str, least: usize, most: usize) -> Result<()> {
    let length = value.chars().count();
    if length > most || value.trim().chars().count() < least {
        return Err(Error::invalid(format!("`{field}` holds {least} to {most} characters.")));
    }
    // Postgres keeps every character but this one.
    if value.contains('\0') {
        return Err(Error::invalid(format!("`{field}` holds the character U+0000.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lawful() -> Fields {
        Fields { name: "Help desk".to_owned(), ..Fields::initial(vec![Uuid::nil()]) }
    }

    #[test]
    fn limits_hold_at_their_edges() {
        type Set = fn(&mut Fields, String);
        let cases: [(&str, Set, usize, usize); 5] = [
            ("name", |fields, text| fields.name = text, 1, NAME_LIMIT),
            ("instructions", |fields, text| fields.instructions = text, 0, INSTRUCTIONS_LIMIT),
            ("model", |fields, text| fields.model = text, 0, MODEL_LIMIT),
            ("refusal", |fields, text| fields.refusal = text, 1, REFUSAL_LIMIT),
            ("fallbackModel", |fields, text| fields.fallback_model = text, 0, MODEL_LIMIT),
        ];
        for (field, set, least, most) in cases {
            let with = |text: String| {
                let mut fields = lawful();
                set(&mut fields, text);
                fields.check()
            };
            // Characters, not bytes: as Postgres counts.
            assert!(with("é".repeat(most)).is_ok(), "{field}");
            assert!(with("é".repeat(least)).is_ok(), "{field}");
            let error = with("é".repeat(most + 1)).unwrap_err();
            assert!(error.detail.contains(field), "{}", error.detail);
            assert!(with("a\0b".to_owned()).is_err(), "{field}");
            assert_eq!(with(" ".to_owned()).is_ok(), least == 0, "{field}");
        }
    }

    #[test]
    fn a_provider_needs_a_model_and_extractive_does_not() {
        let bot = |provider: &str, model: &str| {
            Fields { provider: provider.to_owned(), model: model.to_owned(), ..lawful() }.check().is_ok()
        };
        assert!(bot(EXTRACTIVE, "") && bot(EXTRACTIVE, "left-over") && bot("openai", "gpt-5-mini"));
        assert!(bot(&"a".repeat(PROVIDER_LIMIT), "m"));
        assert!(!bot("openai", "") && !bot("openai", " ") && !bot("OpenAI", "m") && !bot("", "m") && !bot("-a", "m"));
        assert!(!bot(&"a".repeat(PROVIDER_LIMIT + 1), "m"));
    }

    #[test]
    fn what_is_fallen_back_on_is_nothing_or_somebody_with_a_model() {
        let bot = |provider: &str, model: &str| {
            let fallback = (provider.to_owned(), model.to_owned());
            Fields { fallback_provider: fallback.0, fallback_model: fallback.1, ..lawful() }.check()
        };
        assert!(bot("", "").is_ok() && bot("", "left-over").is_ok() && bot(EXTRACTIVE, "").is_ok());
        assert!(bot("openai", "gpt-5-mini").is_ok());
        assert!(bot("openai", " ").unwrap_err().detail.contains("`fallbackModel`"));
        assert!(bot("OpenAI", "m").unwrap_err().detail.contains("`fallbackProvider`"));
    }

    #[test]
    fn collections_are_neither_none_nor_too_many() {
        let with = |count: u128| Fields { collections: (0..count).map(Uuid::from_u128).collect(), ..lawful() }.check();
        assert!(with(0).is_err() && with(1).is_ok());
        assert!(with(COLLECTIONS_LIMIT as u128).is_ok() && with(COLLECTIONS_LIMIT as u128 + 1).is_err());
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let change = Change {
            model: Some("m".to_owned()),
            collections: Some(vec![Uuid::max(), Uuid::nil(), Uuid::max()]),
            ..Change::default()
        };
        let expected = Fields { model: "m".to_owned(), collections: vec![Uuid::nil(), Uuid::max()], ..lawful() };
        assert_eq!(change.over(lawful()), expected);
        assert_eq!(Change::default().over(lawful()), lawful());
    }
}
