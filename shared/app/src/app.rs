//! What every room shares. Cheap to clone; building it opens no connection and awaits nothing.

use std::sync::Arc;

use docent_llm::{LocalModel, Transport};

use crate::auth::{Newcomers, Sessions, Signer};
use crate::clock::Clock;
use crate::config::{self, Environment, Front};
use crate::db::{Db, Role};
use crate::health::Pulse;
use crate::keys::{Masters, OperatorKeys};
use crate::limits::{Backend, Rates};
use crate::questions::Questions;
use crate::tasks::Tasks;
use crate::telemetry::Telemetry;
use crate::usage::Tariff;
use crate::vectors::Vectors;

/// What the visitors' keys are derived for; another purpose gets other keys from the same masters.
const VISITORS: &[u8] = b"docent/visitor/v1";

#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub llm: Llm,
    /// Where vectors are asked for what lies near.
    pub vectors: Vectors,
    pub masters: Masters,
    /// Signs visitors, with keys derived from the masters.
    pub signer: Signer,
    pub sessions: Sessions,
    pub newcomers: Newcomers,
    pub rates: Rates,
    /// Where requests are counted.
    pub backend: Backend,
    pub operator_keys: OperatorKeys,
    pub tariff: Arc<Tariff>,
    pub front: Arc<Front>,
    pub clock: Clock,
    pub limits: Arc<config::Limits>,
    /// What goes on when its request is over.
    pub tasks: Tasks,
    /// Whom requests are told to.
    pub telemetry: Telemetry,
    /// Vectors of questions that were asked before.
    pub questions: Questions,
    /// What was last known of what this depends on.
    pub pulse: Pulse,
}

/// Models: those behind a provider's API, and one that the local binary may bring along.
#[derive(Clone)]
pub struct Llm {
    pub transport: Transport,
    pub local: Option<Arc<dyn LocalModel>>,
}

impl App {
    pub fn new(environment: &Environment) -> Result<App, config::Error> {
        let limits = config::Limits::read(environment)?;
        let db = Db::new(&config::Database::read(environment)?, Role::App)
            .map_err(|error| config::Error::new("DATABASE_URL", error.detail, error.hint))?;
        App::with_db(environment, db, limits)
    }

    pub fn with_db(environment: &Environment, db: Db, limits: config::Limits) -> Result<App, config::Error> {
        let transport =
            Transport::new(docent_llm::Limits { allow_loopback: limits.loopback_providers, ..Default::default() });
        let masters = Masters::read(environment)?;
        let clock = Clock::system();
        Ok(App {
            sessions: Sessions::new(config::Sessions::read(environment)?, transport.clone(), clock.clone()),
            db,
            llm: Llm { transport: transport.clone(), local: None },
            vectors: Vectors::read(environment)?,
            signer: Signer::new(masters.derive(VISITORS)),
            masters,
            newcomers: Newcomers::new(config::newcomers(environment)?),
            rates: Rates::read(environment)?,
            backend: Backend::read(environment, &transport)?,
            operator_keys: OperatorKeys::read(environment)?,
            tariff: Arc::new(Tariff::read(environment)?),
            front: Arc::new(Front::read(environment)?),
            clock,
            questions: Questions::kept_for(limits.question_cache),
            limits: Arc::new(limits),
            tasks: Tasks::default(),
            telemetry: Telemetry::new(config::Telemetry::read(environment)?),
            pulse: Pulse::default(),
        })
    }

    /// Adds the model that the local binary carries; functions never have one.
    pub fn with_local_model(mut self, model: Arc<dyn LocalModel>) -> App {
        self.llm.local = Some(model);
        self
    }

    pub fn with_clock(mut self, clock: Clock) -> App {
        self.sessions = self.sessions.with_clock(clock.clone());
        self.clock = clock;
        self
    }
}
