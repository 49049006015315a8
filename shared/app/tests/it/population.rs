//! Tenants who each keep something that nobody else may see, in every place where something can be kept.

use std::sync::Mutex;

use docent::App;
use docent::config;
use docent::db::{Db, Role};
use docent::function::{self, Files};
use futures_util::{StreamExt, stream};
use serde_json::json;
use uuid::Uuid;

use crate::attack::patient;
use crate::callers::{PAGE, publishable};
use crate::canary::{Register, canary, handle};
use crate::requests::Member;
use crate::world::{Client, World};

pub const TENANTS: usize = 200;
/// Tenants that are made side by side.
const AT_ONCE: usize = 8;

pub struct Population {
    pub world: World,
    pub members: Vec<Member>,
    pub register: Register,
}

/// A document, a bot, a token, a key, a conversation and a name for each, all with its canary inside.
pub async fn of(tenants: usize) -> Population {
    let mut world = World::new().await;
    let environment = patient(&world.environment, world.environment.get("DATABASE_URL").unwrap());
    world.files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    let router = function::everything(world.files.clone());
    let operator = config::Database { url: world.admin_url.clone(), pool_size: AT_ONCE };
    let operator = Db::new(&operator, Role::Operator).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let furnish = async |number: usize| {
        let client = Client::of_new_tenant(&operator, &router, &canary(number)).await;
        furnish(&client, number, &http).await;
        client
    };
    let clients: Vec<Client> = stream::iter(0..tenants).map(furnish).buffered(AT_ONCE).collect().await;
    let events = world.take_events().await;
    let ingest = &world.files.ingest;
    stream::iter(&events).for_each_concurrent(AT_ONCE, async |event| ingest.message(event).await.unwrap()).await;
    let talk = async |(number, client): (usize, &Client)| {
        let reply =
            client.ask(&format!("talk-{}", handle(number)), &format!("Where does {} nest?", canary(number))).await;
        assert!(reply.answer().contains(&canary(number)), "{}", reply.text());
    };
    stream::iter(clients.iter().enumerate()).for_each_concurrent(AT_ONCE, talk).await;
    let register = Register::default();
    let members = members(&world, clients, &register).await;
    Population { world, members, register }
}

async fn furnish(client: &Client, number: usize, http: &reqwest::Client) {
    let canary = canary(number);
    let text =
        format!("The {} nests where {canary} sings at dawn, and where no other bird may hear it.", handle(number));
    let new = json!({ "filename": format!("{canary}.txt"), "size": text.len() });
    let created = client.post("/api/upload", new).await.json();
    let mut put = http.put(created["upload"]["url"].as_str().unwrap()).body(text);
    for (name, value) in created["upload"]["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    assert!(put.send().await.unwrap().status().is_success());
    let bot = json!({ "name": canary, "instructions": canary, "refusal": canary });
    assert_eq!(client.post("/api/bots", bot).await.status, 201);
    assert_eq!(client.post("/api/tokens", json!({ "name": canary, "scopes": ["read"] })).await.status, 201);
    let key = json!({ "key": format!("sk-{canary}"), "baseUrl": format!("http://127.0.0.1:9/{canary}") });
    let saved = client.send("PUT", "/api/keys/openai", Some(key.to_string()), &[]).await;
    assert!(saved.status.is_success(), "{}", saved.text());
}

/// Everybody's ids, as the superuser sees them.
async fn members(world: &World, clients: Vec<Client>, register: &Register) -> Vec<Member> {
    let admin = world.admin().await;
    let furnished = stream::iter(clients).then(async |client| {
        let page = client.with_token(&publishable(&client).await);
        let entered = page.send("POST", "/api/tokens/visitor", Some("{}".to_owned()), &[("origin", PAGE)]).await;
        let visitor = entered.json()["token"].as_str().unwrap().to_owned();
        (client, page.token.unwrap(), visitor)
    });
    let furnished: Vec<(Client, String, String)> = furnished.collect().await;
    let member = |(number, (client, page, visitor))| Member {
        number,
        client,
        page,
        visitor,
        documents: vec![],
        bots: vec![],
        tokens: vec![],
        others: vec![],
        spare: Mutex::default(),
    };
    let mut members: Vec<Member> = furnished.into_iter().enumerate().map(member).collect();
    for member in &members {
        register.note(member.tenant().uuid(), member.number);
    }
    let tables = "select c.relname::text from pg_attribute a join pg_class c on c.oid = a.attrelid
                  where a.attname = 'id' and c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
                    and a.atttypid = 'uuid'::regtype";
    for table in admin.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        for row in admin.query(&format!("select tenant_id, id from {table}"), &[]).await.unwrap() {
            let (tenant, id): (Uuid, Uuid) = (row.get(0), row.get(1));
            let Some(member) = members.iter_mut().find(|member| member.tenant().uuid() == tenant) else { continue };
            register.note(id, member.number);
            match table.as_str() {
                "document" => member.documents.push(id),
                "bot" => member.bots.push(id),
                "token" => member.tokens.push(id),
                _ => member.others.push(id),
            }
        }
    }
    members
}
