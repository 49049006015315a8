//! The demo tenant, and who answers for it: a provider whose key is at hand, Ollama on this machine, or quotes alone.

use axum::body::Body;
use docent::App;
use docent::auth::{self, NewTenant};
use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::{Db, Role};
use docent::function::{self, Files};
use docent_llm::{Dialect, Endpoint, KeyCheck, Url};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::secrets::Secrets;
use crate::command::Failure;

const OLLAMA: &str = "http://127.0.0.1:11434";

/// The token of the demo tenant, which is made on the first run.
pub async fn tenant(admin_url: &str, app: &App, secrets: &Secrets, embedding_model: &str) -> Result<String, Failure> {
    if let Some(token) = secrets.demo_token() {
        let answer = call(&app_router(app), "GET", "/api/tokens", &token, Value::Null).await;
        if answer.is_ok() {
            return Ok(token);
        }
    }
    let config = config::Database { url: admin_url.to_owned(), pool_size: 1 };
    let operator = Db::new(&config, Role::Operator)?;
    let new = NewTenant { name: "Demo", embedding_model };
    let (_, token) = auth::create_tenant(&operator, &Clock::system(), new).await?;
    let token = secrecy::ExposeSecret::expose_secret(&token).to_owned();
    secrets.keep_demo_token(&token)?;
    Ok(token)
}

/// Points the demo bot at the best answerer there is, through the same routes that anybody would use.
pub async fn answerer(environment: &Environment, files: &Files, token: &str) -> Result<String, Failure> {
    let router = function::everything(files.clone());
    let bots = call(&router, "GET", "/api/bots", token, Value::Null).await?;
    let bot =
        bots["bots"].as_array().and_then(|bots| bots.iter().find(|bot| bot["isDefault"] == true).or(bots.first()));
    let Some(bot) = bot.and_then(|bot| bot["id"].as_str()) else {
        return Ok("extractive".to_owned());
    };
    let (provider, model, key) = match environment.get("OPENAI_API_KEY") {
        Some(key) => {
            let mut body = json!({ "key": key });
            if let Some(base) = environment.get("OPENAI_BASE_URL") {
                body["baseUrl"] = json!(base);
            }
            ("openai", environment.get("OPENAI_MODEL").unwrap_or("gpt-4o-mini").to_owned(), Some(body))
        }
        None => match ollama(files).await {
            Some(model) => ("ollama", model, Some(json!({ "key": "", "baseUrl": OLLAMA }))),
            None => ("extractive", String::new(), None),
        },
    };
    if let Some(body) = key {
        call(&router, "PUT", &format!("/api/keys/{provider}"), token, body).await?;
    }
    let patch = json!({ "provider": provider, "model": model });
    call(&router, "PATCH", &format!("/api/bots/{bot}"), token, patch).await?;
    Ok(if model.is_empty() { "extractive (quotes, no model)".to_owned() } else { format!("{provider}/{model}") })
}

/// The first chat model of an Ollama on this machine, when there is one.
async fn ollama(files: &Files) -> Option<String> {
    let endpoint = Endpoint {
        dialect: Dialect::Ollama,
        key_check: KeyCheck::Models,
        base_url: Url::parse(OLLAMA).ok()?,
        key: None,
    };
    let models = files.app.llm.transport.models(&endpoint).await.ok()?;
    models.into_iter().find(|model| !model.contains("embed"))
}

fn app_router(app: &App) -> axum::Router {
    docent::http::service(auth::router().with_state(app.clone()), app)
}

/// One request to a router in this process.
pub async fn call(router: &axum::Router, method: &str, path: &str, token: &str, body: Value) -> Result<Value, Failure> {
    let request = http::Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json").body(match body {
        Value::Null => Body::empty(),
        value => Body::from(value.to_string()),
    });
    let request = request.map_err(|error| Failure::new(error.to_string(), "Report this."))?;
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Err(Failure::new(format!("{}: {}", text("code"), text("detail")), text("hint")))
}
