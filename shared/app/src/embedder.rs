//! Text to vectors by the collection's model: the lexical hash, a model of this process, or a provider's API.

use std::sync::Arc;

use docent_llm::{Endpoint, LocalModel, Transport};

use crate::App;
use crate::auth::TenantId;
use crate::error::{Error, Kind, Result};
use crate::keys::{self, Sealed};

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
        model: String,
    },
}

impl Embedder {
    /// `name` is `hash-384`, the local model's own name, or `provider/model` with one of the tenant's keys.
    pub fn resolve(app: &App, tenant: TenantId, name: &str, keys: &[Sealed]) -> Result<Embedder> {
        let model = match (name, &app.llm.local, name.split_once('/')) {
            (docent_text::hash::MODEL, _, _) => Model::Hash,
            (_, Some(local), _) if local.model() == name => Model::Local(local.clone()),
            (_, _, Some((provider, model))) => {
                let sealed = keys.iter().find(|key| key.provider == provider).ok_or_else(|| missing_key(provider))?;
                let endpoint = keys::endpoint(app, tenant, sealed)?;
                Model::Provider { transport: app.llm.transport.clone(), endpoint, model: model.to_owned() }
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

    pub fn name(&self) -> &str {
        &self.name
    }

    /// One unit vector per input, in order.
    pub async fn embed(&self, inputs: Vec<String>) -> Result<Vec<Vec<f32>>> {
        Ok(self.embed_counted(inputs).await?.0)
    }

    /// The same, with the tokens that a provider bills for it.
    pub async fn embed_counted(&self, inputs: Vec<String>) -> Result<(Vec<Vec<f32>>, u64)> {
        match &self.model {
            Model::Hash => Ok((inputs.iter().map(|input| docent_text::hash::embed(input)).collect(), 0)),
            Model::Local(local) => {
                let local = local.clone();
                // Number crunching would hold up every other request of this thread.
                let work = tokio::task::spawn_blocking(move || local.embed(&inputs));
                Ok((work.await.map_err(Error::internal)??, 0))
            }
            Model::Provider { transport, endpoint, model } => {
                let embeddings = transport.embed(endpoint, model, &inputs).await?;
                Ok((embeddings.vectors, embeddings.input_tokens))
            }
        }
    }

    /// Below this cosine a passage does not answer a question, measured per model; `None` when the model's cosines
    /// say nothing about meaning.
    pub fn relevance_floor(&self) -> Option<f64> {
        match self.name.as_str() {
            docent_text::hash::MODEL => None,
            "minilm-l6-v2" => Some(0.35),
            _ => Some(0.30),
        }
    }
}

fn missing_key(provider: &str) -> Error {
    Error::new(Kind::Provider("provider_auth"), format!("There is no key for the provider `{provider}`."))
        .hint(format!("Save one with PUT /api/keys/{provider}."))
}

impl From<docent_llm::Error> for Error {
    fn from(error: docent_llm::Error) -> Error {
        Error::new(Kind::Provider(error.code()), error.to_string()).because(error)
    }
}
