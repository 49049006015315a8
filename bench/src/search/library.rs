//! A filled database: made once, and used again where the server stays.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use docent::auth::{self, TenantId};
use docent::config;
use docent::db::dense::Shape;
use docent::db::reindex::{self, What};
use docent::db::{Db, Role, migrate};
use docent_llm::Url;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{DIMENSIONS, MODEL, Question, SCRIPT};
use crate::{Outcome, rival, table};

const FILL: &str = include_str!("fill.sql");
const PASSWORD: &str = "of-the-bench";

/// Where libraries lie.
pub struct Place {
    pub url: String,
    pub python: PathBuf,
    pub memory: u32,
}

pub struct Library {
    pub admin: String,
    /// As a function logs in.
    pub app: String,
    pub tenants: HashMap<String, TenantId>,
    python: PathBuf,
}

impl Library {
    /// Made of the tenants that `tenancy` lists, as many as `tenants`, unless it is there already.
    pub async fn filled(place: &Place, name: &str, tenancy: &str, tenants: u64) -> Outcome<Library> {
        let create = json!({ "verb": "create", "url": place.url, "name": name });
        rival::ask::<Value>(&place.python, SCRIPT, &create)?;
        let mut url = Url::parse(&place.url)?;
        url.set_path(name);
        let admin = url.to_string();
        url.set_username("docent_app").and_then(|()| url.set_password(Some(PASSWORD))).map_err(|()| "no URL")?;
        migrate::run(&admin, Some(url.as_str()), migrate::Plan::Apply).await?;
        let python = place.python.clone();
        let mut library = Library { admin, app: url.to_string(), tenants: HashMap::new(), python };
        let there: Vec<u64> = library.ask(&json!({ "verb": "filled", "url": library.admin }))?;
        match there.first() {
            Some(0) => library.fill(name, tenancy)?,
            Some(there) if *there == tenants => {}
            there => return Err(format!("{name} has {there:?} tenants instead of {tenants}").into()),
        }
        let operator = Db::new(&config::Database { url: library.admin.clone(), pool_size: 1 }, Role::Operator)?;
        let every = auth::every_tenant(&operator).await?;
        library.tenants = every.into_iter().map(|tenant| (tenant.uuid().to_string(), tenant)).collect();
        Ok(library)
    }

    fn fill(&self, name: &str, tenancy: &str) -> Outcome<()> {
        let begun = Instant::now();
        table::note(&format!("filling {name}"));
        let statements = [FILL.replace("{tenancy}", tenancy)];
        self.ask::<Value>(&json!({ "verb": "sql", "url": self.admin, "statements": statements }))?;
        table::note(&format!("filled {name} in {} s", table::seconds(begun.elapsed())));
        Ok(())
    }

    /// Some of the tenants, spread over all.
    pub fn some(&self, count: usize) -> Vec<String> {
        let mut all: Vec<String> = self.tenants.keys().cloned().collect();
        all.sort_unstable();
        let step = all.len().div_ceil(count.max(1)).max(1);
        all.into_iter().step_by(step).collect()
    }

    /// What `docent reindex --tenant` does for each of these; says whether they have an index then.
    pub async fn reindex(&self, tenants: &[String], memory: u32) -> Outcome<bool> {
        for tenant in tenants {
            for step in reindex::plan(&self.admin, Some(tenant.parse()?)).await? {
                let begun = Instant::now();
                reindex::run(&self.admin, &step, memory, &|_| ()).await?;
                if let What::Make { vectors, .. } = &step.what {
                    let took = table::seconds(begun.elapsed());
                    table::note(&format!("indexed {} vectors of {tenant} in {took} s", vectors.count));
                }
            }
        }
        let names: Vec<String> = tenants.iter().map(|tenant| index(tenant)).collect::<Outcome<_>>()?;
        let there: Vec<u64> = self.ask(&json!({ "verb": "indexes", "url": self.admin, "names": names }))?;
        Ok(there.first().is_some_and(|there| *there > 0))
    }

    pub fn questions(&self, tenants: &[String], count: usize) -> Outcome<Vec<Question>> {
        let request = json!({ "verb": "questions", "url": self.admin, "tenants": tenants, "count": count });
        let mut questions: Vec<Question> = self.ask(&request)?;
        for question in &mut questions {
            question.index = index(&question.tenant)?;
        }
        Ok(questions)
    }

    pub fn ask<T: DeserializeOwned>(&self, request: &Value) -> Outcome<Vec<T>> {
        rival::ask(&self.python, SCRIPT, request)
    }
}

fn index(tenant: &str) -> Outcome<String> {
    Ok(Shape::new(DIMENSIONS).index(tenant.parse()?, MODEL))
}
