//! Text to vectors by the collection's model: the lexical hash, a model of this process, or a provider's API.

use std::sync::Arc;

use docent_llm::{EmbedLimits, EmbedRequest, Endpoint, ErrorKind, InputType, LocalModel, Pace, Transport};
use docent_text::{Analyzer, hash};

use crate::App;
use crate::auth::TenantId;
use crate::error::{Error, Kind, Result};
use crate::keys::{self, Sealed};
use crate::questions;
use crate::telemetry::{self, Part};
use crate::usage::{Bill, Call, Kind as Spent, PaidBy, Spender, Spending, Used};

/// One embedding model, ready to use. Its name is stored with every vector: vectors of two models never meet.
#[derive(Clone)]
pub struct Embedder {
    name: String,
    model: Model,
}

#[derive(Clone)]
enum Model {
    /// Feature hashing: deterministic, lexical, not semantic.
    Hash,
    Local(Arc<dyn LocalModel>),
    Provider {
        transport: Transport,
        endpoint: Endpoint,
        provider: String,
        model: String,
        paid_by: PaidBy,
        pace: Option<Pace>,
    },
}

/// What is embedded. Many models give a question another vector than a passage that says the same.
pub enum Inputs {
    Documents(Vec<String>),
    Question(String),
}

impl Inputs {
    fn texts(self) -> (InputType, Vec<String>) {
        match self {
            Inputs::Documents(texts) => (InputType::Document, texts),
            Inputs::Question(text) => (InputType::Query, vec![text]),
        }
    }
}

/// What a model of this process takes at once: a lexical hash costs nothing, and a batch is what one transaction
/// stores; a real model thinks about each chunk for some ten milliseconds.
const HASH_INPUTS: usize = 2048;
const LOCAL_INPUTS: usize = 64;

/// What a model may put around each text that it is given: marks of beginning and end.
const TOKENS_AROUND_INPUT: usize = 8;

impl Embedder {
    /// `name` is `hash-384`, the local model's own name, or `provider/model` with one of the tenant's keys.
    pub fn resolve(app: &App, tenant: TenantId, name: &str, keys: &[Sealed]) -> Result<Embedder> {
        let model = match (name, &app.llm.local, name.split_once('/')) {
            (hash::MODEL, _, _) => Model::Hash,
            (_, Some(local), _) if local.model() == name => Model::Local(local.clone()),
            (_, _, Some((provider, model))) => {
                let account = keys::account(app, tenant, provider, keys)?;
                let own = account.endpoint.embed_limits().pace;
                Model::Provider {
                    transport: app.llm.transport.clone(),
                    pace: app.limits.embedding_paces.of(provider, own),
                    endpoint: account.endpoint,
                    provider: provider.to_owned(),
                    model: model.to_owned(),
                    paid_by: PaidBy::of(account.of_operator),
                }
            }
            _ => {
                return Err(Error::new(
                    Kind::NotConfigured,
                    format!("The embedding model `{name}` is not available here."),
                )
                .hint("Serve it with `docent serve`, or use a collection whose model a provider offers."));
            }
        };
        Ok(Embedder { name: name.to_owned(), model })
    }

    /// The same for a model that a request names: that it is not here is then the request's mistake, not the server's.
    pub fn named(app: &App, tenant: TenantId, name: &str, keys: &[Sealed]) -> Result<Embedder> {
        Embedder::resolve(app, tenant, name, keys).map_err(|error| match error.kind {
            Kind::NotConfigured => Error::invalid(error.detail).hint(error.hint),
            _ => error,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What one batch may hold, and how fast batches may follow each other.
    pub fn limits(&self) -> EmbedLimits {
        let own = |inputs| EmbedLimits { inputs, input_tokens: usize::MAX, tokens: usize::MAX, pace: None };
        match &self.model {
            Model::Hash => own(HASH_INPUTS),
            Model::Local(_) => own(LOCAL_INPUTS),
            Model::Provider { endpoint, pace, .. } => EmbedLimits { pace: *pace, ..endpoint.embed_limits() },
        }
    }

    /// Whose pace its batches share, whichever documents they are of.
    pub fn bucket(&self) -> Option<String> {
        match &self.model {
            Model::Provider { provider, pace: Some(_), .. } => Some(format!("embed:{provider}")),
            _ => None,
        }
    }

    /// One unit vector per input, in order, with the tokens that a provider bills for it.
    async fn embed(&self, input_type: InputType, inputs: Vec<String>) -> Result<(Vec<Vec<f32>>, u64)> {
        let mut step = match &self.model {
            Model::Provider { provider, model, .. } => telemetry::model(Part::Embed, provider, model),
            Model::Hash | Model::Local(_) => telemetry::step(Part::Embed),
        };
        match &self.model {
            Model::Hash => {
                let work = move || {
                    let mut analyzer = Analyzer::default();
                    inputs.iter().map(|input| hash::embed_with(&mut analyzer, input)).collect()
                };
                // A question is done before a thread is found for it.
                match input_type {
                    InputType::Query => Ok((work(), 0)),
                    InputType::Document => Ok((tokio::task::spawn_blocking(work).await.map_err(Error::internal)?, 0)),
                }
            }
            Model::Local(local) => {
                let local = local.clone();
                // Number crunching would hold up every other request of this thread.
                let work = tokio::task::spawn_blocking(move || local.embed(&inputs));
                Ok((work.await.map_err(Error::internal)??, 0))
            }
            Model::Provider { transport, endpoint, model, .. } => {
                let request = EmbedRequest { model, inputs: &inputs, input_type };
                let embeddings = step.call(transport.embed(endpoint, &request)).await?;
                step.used(telemetry::Used { input_tokens: embeddings.input_tokens, output_tokens: 0 });
                Ok((embeddings.vectors, embeddings.input_tokens))
            }
        }
    }

    /// Embeds at the expense of `by`; what a provider bills is booked by the transaction that comes next. With
    /// `reserve`, the most that it may be is taken out of the caps first, in a trip of its own.
    pub async fn embed_metered(
        &self,
        app: &App,
        by: Spender,
        reserve: bool,
        inputs: Inputs,
    ) -> Result<(Vec<Vec<f32>>, Option<Bill>)> {
        let known = self.question(by.tenant, &inputs);
        if let Some(vector) = known.as_ref().and_then(|key| app.questions.find(key)) {
            return Ok((vec![vector], None));
        }
        let (input_type, inputs) = inputs.texts();
        let (tenant, sent) = (by.tenant, inputs.iter().map(String::len).sum());
        let Some(spending) = self.spending(app, by, &inputs, sent) else {
            return Ok((self.embed(input_type, inputs).await?.0, None));
        };
        if reserve {
            let tx = app.db.tenant(tenant).await?;
            tx.finish(spending.reserve(&tx)).await?;
        }
        match self.embed(input_type, inputs).await {
            Ok((vectors, tokens)) => {
                if let (Some(key), Some(vector)) = (known, vectors.first()) {
                    app.questions.keep(key, vector);
                }
                let used = Used::counted(tokens, 0, sent, 0);
                Ok((vectors, Some(Bill { spending, used, reserved: reserve })))
            }
            Err(error) => {
                let bill = Bill { used: Used::failed(error.code(), sent), spending, reserved: reserve };
                let tx = app.db.tenant(tenant).await?;
                tx.finish(bill.book(&tx)).await?;
                Err(error)
            }
        }
    }

    /// By what a question of a provider's model is known again; what this process embeds itself is as soon made anew.
    fn question(&self, tenant: TenantId, inputs: &Inputs) -> Option<questions::Key> {
        match (&self.model, inputs) {
            (Model::Provider { endpoint, model, .. }, Inputs::Question(text)) => {
                Some(questions::Key::new(tenant, endpoint, model, text))
            }
            _ => None,
        }
    }

    /// Whether the operator pays, whose cap binds every tenant.
    pub fn spends_the_operators(&self) -> bool {
        matches!(self.model, Model::Provider { paid_by: PaidBy::Operator, .. })
    }

    /// The provider's call that embedding is; none for models of this process, which cost nothing.
    fn spending(&self, app: &App, by: Spender, inputs: &[String], sent: usize) -> Option<Spending> {
        let Model::Provider { provider, model, paid_by, .. } = &self.model else { return None };
        let most_input = sent.saturating_add(inputs.len().saturating_mul(TOKENS_AROUND_INPUT)) as u64;
        let call = Call { kind: Spent::Embedding, provider, model, paid_by: *paid_by, most_input, most_output: 0 };
        Some(Spending::new(app, by, &call))
    }

    /// Below this cosine a passage does not answer a question, measured per model; `None` when the model's cosines
    /// say nothing about meaning.
    pub fn relevance_floor(&self) -> Option<f64> {
        match self.name.as_str() {
            hash::MODEL => None,
            "minilm-l6-v2" => Some(0.35),
            _ => Some(0.30),
        }
    }
}

impl From<docent_llm::Error> for Error {
    fn from(error: docent_llm::Error) -> Error {
        let wait = error.retry_after();
        let told = Error::new(Kind::Provider(error.code()), error.to_string()).because(error);
        match wait {
            Some(wait) => told.retry_after(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            None => told,
        }
    }
}

/// Why a provider refused, where it was a provider.
pub fn refusal(error: &Error) -> Option<ErrorKind> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<docent_llm::Error>().map(docent_llm::Error::kind)
}
