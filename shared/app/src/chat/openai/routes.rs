//! `/v1`: bots as models.

use axum::extract::{FromRef, State};
use axum::response::IntoResponse;
use futures_util::future::join;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Body, Completion, CompletionWire, ResponseWire, responses};
use crate::auth::{Credential, Scope};
use crate::bots::Listed;
use crate::chat::answer;
use crate::chat::out::Out;
use crate::error::{Error, Result};
use crate::http::answers::{EventStream, OneOf};
use crate::http::{Invocation, Json, Path, RequestId, Router, get, post, sse};
use crate::{App, bots};

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/v1/chat/completions", post(create_completion))
        .route("/v1/responses", post(create_response))
        .route("/v1/models", get(list_models))
        .route("/v1/models/{id}", get(find_model))
}

async fn create_completion(
    invocation: Invocation,
    id: RequestId,
    credential: Credential,
    Json(body): Json<Body>,
) -> Result<OneOf<(Json<CompletionWire<'static>>, EventStream<Value>)>> {
    let app = &invocation.app;
    let completion = Completion {
        id: format!("chatcmpl-{}", app.clock.uuid().simple()),
        created: app.clock.now().as_second(),
        model: body.model().to_owned(),
        include_usage: body.include_usage(),
    };
    let (stream, request_id) = (body.streams(), id.as_str().to_owned());
    let question = body.question(app.clock.uuid())?;
    let prepared = answer::prepare(invocation, credential, question, &request_id).await?.fresh()?;
    if stream {
        let work = move |frames| prepared.stream(request_id, Out::Completion(completion, frames));
        return Ok(sse::response(sse::produce(work)).into());
    }
    let whole = prepared.whole(request_id).await?;
    Ok(Json(completion.whole(&whole)).into_response().into())
}

async fn create_response(
    invocation: Invocation,
    id: RequestId,
    credential: Credential,
    Json(body): Json<responses::Body>,
) -> Result<OneOf<(Json<ResponseWire<'static>>, EventStream<Value>)>> {
    let (stream, request_id) = (body.streams(), id.as_str().to_owned());
    let app = &invocation.app;
    let ids = [app.clock.uuid(), app.clock.uuid()];
    let (question, response) = body.asked(ids, app.clock.now().as_second())?;
    let prepared = answer::prepare(invocation, credential, question, &request_id).await?.fresh()?;
    if stream {
        let work = move |frames| prepared.stream(request_id, Out::Response(response, frames));
        return Ok(sse::response(sse::produce(work)).into());
    }
    let whole = prepared.whole(request_id).await?;
    Ok(Json(response.whole(&whole)).into_response().into())
}

#[derive(Serialize, JsonSchema)]
struct ModelsWire {
    object: &'static str,
    data: Vec<ModelWire>,
}

#[derive(Serialize, JsonSchema)]
struct ModelWire {
    /// The bot's name where no older one has it, or else its id.
    id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

/// A visitor sees the one bot that it may talk to, by the only word that it may call it.
async fn models(app: &App, credential: &Credential) -> Result<Vec<ModelWire>> {
    let tx = app.db.tenant(credential.tenant()).await?;
    let together = join(credential.verify(&tx, Scope::Chat), bots::list(&tx));
    let (caller, bots) = tx.finish(async { Ok(together.await) }).await?;
    caller?;
    let bots = bots?;
    let model = |id: String, bot: &Listed| {
        let created = bot.created_at.as_second();
        ModelWire { id, object: "model", created, owned_by: "docent" }
    };
    match credential.confined() {
        Some(Some(only)) => {
            Ok(bots.iter().filter(|bot| bot.id == only).map(|bot| model(bot.id.to_string(), bot)).collect())
        }
        Some(None) => Ok(bots.first().map(|bot| model("default".to_owned(), bot)).into_iter().collect()),
        None => {
            let mut models: Vec<ModelWire> = Vec::new();
            for bot in &bots {
                let taken = bot.name == "default" || models.iter().any(|model| model.id == bot.name);
                models.push(model(if taken { bot.id.to_string() } else { bot.name.clone() }, bot));
            }
            Ok(models)
        }
    }
}

async fn list_models(State(app): State<App>, credential: Credential) -> Result<Json<ModelsWire>> {
    Ok(Json(ModelsWire { object: "list", data: models(&app, &credential).await? }))
}

async fn find_model(State(app): State<App>, credential: Credential, Path(id): Path<String>) -> Result<Json<ModelWire>> {
    let found = models(&app, &credential).await?.into_iter().find(|model| model.id == id);
    Ok(Json(found.ok_or_else(|| Error::not_found("model"))?))
}
