//! What the runs of one vendor share: its provider, a bot that asks it, and one whose provider is not there.

use std::time::{Duration, Instant};

use serde_json::json;

use super::plan::{Bill, Place, Plan};
use super::provider::Provider;
use super::run::{KEY, fair};
use super::wire::Vendor;
use crate::world::Client;

pub struct Lane {
    pub provider: Provider,
    /// Another one, which answers in the first one's place.
    pub spare: Provider,
    there: (Client, String),
    nowhere: (Client, String),
    hurried: (Client, String),
    admin: tokio_postgres::Client,
}

/// Writes come this soon after a client has gone.
const SOON: Duration = Duration::from_secs(5);

impl Lane {
    /// Two tenants, of which the first has two servers: its key lies at the provider's address, that of the second
    /// where nobody listens. The fallback of both is there.
    pub async fn new(vendor: Vendor, [there, nowhere, hurried]: [Client; 3], admin: tokio_postgres::Client) -> Lane {
        let (provider, spare) = (Provider::start(vendor).await, Provider::start(Vendor::OpenAi).await);
        let closed = format!("http://127.0.0.1:9{}", vendor.base());
        for client in [&there, &nowhere] {
            save_key(client, &spare_name(vendor), &spare.base_url).await;
        }
        let there = (there.clone(), bot(&there, vendor, &provider.base_url).await);
        let nowhere = (nowhere.clone(), bot(&nowhere, vendor, &closed).await);
        let hurried = (hurried, there.1.clone());
        Lane { provider, spare, there, nowhere, hurried, admin }
    }

    pub fn who(&self, place: Place) -> (&Client, &str) {
        let (client, bot) = match place {
            Place::There => &self.there,
            Place::Nowhere => &self.nowhere,
            Place::Hurried => &self.hurried,
        };
        (client, bot)
    }

    /// Names the model of the next run, by which the providers know it, and forgets what is known of the keys.
    pub async fn begin(&self, plan: &Plan, name: &str, seed: u64) {
        self.provider.expect(name, &plan.acts, seed);
        self.spare.expect(name, &plan.spare, seed);
        let (client, bot) = self.who(plan.place);
        let fallback = if plan.spare.is_empty() { String::new() } else { spare_name(self.provider.vendor) };
        let change = json!({ "model": name, "fallbackProvider": fallback, "fallbackModel": name });
        let changed = client.send("PATCH", &format!("/api/bots/{bot}"), Some(change.to_string()), &[]).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let sql = "update provider_key set status = 'good' where provider = $1";
        self.admin.execute(sql, &[&self.provider.vendor.name()]).await.unwrap();
    }

    pub async fn key(&self, place: Place) -> String {
        let sql = "select status from provider_key where tenant_id = $1 and provider = $2";
        let tenant = self.who(place).0.tenant.uuid();
        self.admin.query_one(sql, &[&tenant, &self.provider.vendor.name()]).await.unwrap().get(0)
    }

    /// Waits until an answer that nobody reads any more is stored.
    pub async fn stored(&self, client: &Client, name: &str) -> Result<(), String> {
        let path = format!("/api/conversations/{name}");
        soon("the answer is still streaming in the store", async || {
            client.get(&path).await.json()["messages"][1]["state"] != "streaming"
        })
        .await
    }

    /// The provider that had not ended saw us go.
    pub async fn let_go(&self, name: &str) -> Result<(), String> {
        soon("the provider's connection is still held", async || self.provider.seen(name).left.is_some()).await
    }

    /// Exactly one bill, settled.
    pub async fn billed(&self, name: &str, bill: Bill) -> Result<(), String> {
        let sql =
            "select settled_at is not null, input_tokens, output_tokens, estimated from usage_ledger where model = $1";
        let rows = self.admin.query(sql, &[&name]).await.unwrap();
        let [row] = rows.as_slice() else { return Err(format!("{} bills", rows.len())) };
        let used = (row.get(1), row.get(2), row.get(3));
        match row.get::<_, bool>(0) {
            false => Err("the reservation is still open".to_owned()),
            true if fair(bill, used) => Ok(()),
            true => Err(format!("billed (input, output, estimated) {used:?}, which is not {bill:?}")),
        }
    }
}

async fn bot(client: &Client, vendor: Vendor, base_url: &str) -> String {
    save_key(client, vendor.name(), base_url).await;
    let made =
        client.post("/api/bots", json!({ "name": vendor.name(), "provider": vendor.name(), "model": "m" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

async fn save_key(client: &Client, provider: &str, base_url: &str) {
    let key = json!({ "key": KEY, "baseUrl": base_url }).to_string();
    let put = client.send("PUT", &format!("/api/keys/{provider}"), Some(key), &[]).await;
    assert_eq!(put.status, 200, "{}", put.text());
}

/// A name that nobody knows, so that OpenAI's dialect is spoken there.
pub fn spare_name(vendor: Vendor) -> String {
    format!("spare-{}", vendor.name())
}

async fn soon(what: &str, mut holds: impl AsyncFnMut() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !holds().await {
        if began.elapsed() > SOON {
            return Err(what.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
