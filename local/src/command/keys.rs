//! `docent keys`: puts every tenant's provider keys under the current master key, while everything keeps running.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use docent::auth::{self, TenantId};
use docent::clock::Clock;
use docent::config::Environment;
use docent::db::Db;
use docent::keys::{self, MasterId, Masters, Rotation};
use serde_json::{Value, json};

use super::{Failure, admin};
use crate::terminal;

#[derive(Subcommand)]
pub enum Keys {
    /// Rewrap all provider keys under MASTER_KEY_CURRENT (needs DIRECT_DATABASE_URL and the master keys)
    #[command(after_help = STEPS)]
    Rotate(Rotate),
}

#[derive(Args)]
pub struct Rotate {
    /// Change nothing; count the keys under each master and exit 1 if some are not under the current one
    #[arg(long)]
    check: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const STEPS: &str = "\
Replacing a master key, with everything running:
  1. Add MASTER_KEY_<new> (`openssl rand -base64 32`) to every process and deploy; MASTER_KEY_CURRENT stays as it is.
  2. Set MASTER_KEY_CURRENT=<new> in every process and deploy.
  3. docent keys rotate           Each key is exchanged whole or not at all, and readable throughout. Stop it, kill it,
                                  run it twice at once: the next run goes on with what is left.
  4. docent keys rotate --check   Exits 0 once no key is under another master.
  5. Only then remove MASTER_KEY_<old>: what is still under it could not be opened by anybody. What tenants' servers
     sign their visitors with derives from the master of its day and ends with it: have them make new publishable tokens.

Exit codes: 0 all keys are under the current master; 1 some are not, or it failed; 2 wrong usage";

pub async fn run(environment: &Environment, verb: Keys) -> Result<(), Failure> {
    let Keys::Rotate(options) = verb;
    let masters = Masters::read(environment)?;
    let make_one = "Set MASTER_KEY_<id> (`openssl rand -base64 32`) and MASTER_KEY_CURRENT=<id>.";
    let current = masters.current_id().ok_or_else(|| Failure::new("There is no master key.", make_one))?;
    let operator = admin::operator(environment)?;
    let tenants = auth::every_tenant(&operator).await?;
    let before = census(&operator, &tenants).await?;
    if options.check {
        terminal::line(&counts(&before, current, options.json));
        return settled(behind(&before, current), current, 0);
    }
    let total: u64 = before.values().sum();
    let mut done = Done { already: total - behind(&before, current), ..Done::default() };
    let progress = Progress::over(behind(&before, current));
    for tenant in tenants {
        let tx = operator.tenant(tenant).await?;
        let rotation = keys::rotate(&masters, &Clock::system(), &tx).await?;
        tx.commit().await?;
        progress.advance(rotation.rewrapped + rotation.replaced + rotation.unreadable.len());
        done.add(tenant, rotation);
    }
    progress.clear();
    // Counted again: a process that was not told of the new master yet seals under the old one.
    let tenants = auth::every_tenant(&operator).await?;
    let left = behind(&census(&operator, &tenants).await?, current);
    terminal::line(&done.text(current, left, options.json));
    settled(left, current, done.unreadable.len() as u64)
}

/// What became of all tenants' keys.
#[derive(Default)]
struct Done {
    rewrapped: usize,
    already: u64,
    replaced: usize,
    unreadable: Vec<(TenantId, keys::Unreadable)>,
}

impl Done {
    fn add(&mut self, tenant: TenantId, rotation: Rotation) {
        self.rewrapped += rotation.rewrapped;
        self.replaced += rotation.replaced;
        self.unreadable.extend(rotation.unreadable.into_iter().map(|key| (tenant, key)));
    }

    fn text(&self, current: MasterId, left: u64, json: bool) -> String {
        let Done { rewrapped, already, replaced, unreadable } = self;
        if json {
            let unreadable = unreadable.iter().map(|(tenant, key)| {
                json!({ "tenant": tenant.uuid(), "provider": key.provider, "reason": key.reason.to_string() })
            });
            let unreadable: Vec<Value> = unreadable.collect();
            return json!({ "current": current.to_string(), "rewrapped": rewrapped, "already": already,
                           "replaced": replaced, "unreadable": unreadable, "behind": left })
            .to_string();
        }
        let mut text = format!("{rewrapped} rewrapped under `{current}`, {already} were already");
        if *replaced > 0 {
            text.push_str(&format!(", {replaced} replaced or deleted by their tenants meanwhile"));
        }
        for (tenant, key) in unreadable {
            text.push_str(&format!("\nunreadable: tenant {} {}: {}", tenant.uuid(), key.provider, key.reason));
        }
        text
    }
}

/// Keys by master, over all tenants.
type Census = BTreeMap<MasterId, u64>;

async fn census(operator: &Db, tenants: &[TenantId]) -> Result<Census, Failure> {
    let mut all = Census::new();
    for tenant in tenants {
        let tx = operator.tenant(*tenant).await?;
        for (master, count) in tx.finish(keys::census(&tx)).await? {
            *all.entry(master).or_default() += count;
        }
    }
    Ok(all)
}

fn behind(census: &Census, current: MasterId) -> u64 {
    census.iter().filter(|(master, _)| **master != current).map(|(_, count)| count).sum()
}

fn counts(census: &Census, current: MasterId, json: bool) -> String {
    if json {
        let keys: BTreeMap<String, u64> = census.iter().map(|(master, count)| (master.to_string(), *count)).collect();
        return json!({ "current": current.to_string(), "keys": keys, "behind": behind(census, current) }).to_string();
    }
    let line = |(master, count): (&MasterId, &u64)| {
        let note = if *master == current { "  (current)" } else { "" };
        format!("{master:<4}  {count}{note}\n", master = master.to_string())
    };
    let lines: String = census.iter().map(line).collect();
    if lines.is_empty() { "no keys".to_owned() } else { lines.trim_end().to_owned() }
}

fn settled(left: u64, current: MasterId, unreadable: u64) -> Result<(), Failure> {
    match (left, unreadable) {
        (0, _) => Ok(()),
        (_, 0) => Err(Failure::new(
            format!("{left} keys are not under `{current}`."),
            "Run `docent keys rotate`, once every process has the new MASTER_KEY_CURRENT.",
        )),
        _ => Err(Failure::new(
            format!("{left} keys are not under `{current}`; {unreadable} of them cannot be opened."),
            "Bring the MASTER_KEY_<id> back that they name and rotate again; a damaged key must be saved anew.",
        )),
    }
}

/// A bar on a terminal, a line for every tenth in a log.
struct Progress {
    bar: indicatif::ProgressBar,
    total: u64,
}

impl Progress {
    fn over(total: u64) -> Progress {
        Progress { bar: terminal::bar(total, "keys"), total }
    }

    fn advance(&self, keys: usize) {
        let tenth = |position: u64| position * 10 / self.total.max(1);
        let before = self.bar.position();
        self.bar.inc(keys as u64);
        if self.bar.is_hidden() && tenth(self.bar.position()) > tenth(before) {
            terminal::note(&format!("· {}/{} keys", self.bar.position(), self.total));
        }
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
