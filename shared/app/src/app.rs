//! What every room shares. Cheap to clone; building it opens no connection and awaits nothing.

use std::sync::Arc;

use docent_llm::{LocalModel, Transport};

use crate::clock::Clock;
use crate::config::{self, Environment};
use crate::db::{Db, Role};
use crate::keys::Masters;
use crate::limits::Rates;

#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub llm: Llm,
    pub masters: Masters,
    pub clock: Clock,
    pub limits: Arc<config::Limits>,
    pub rates: Rates,
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
        Ok(App {
            db,
            llm: Llm { transport, local: None },
            masters: Masters::read(environment)?,
            clock: Clock::system(),
            limits: Arc::new(limits),
            rates: Rates::read(environment)?,
        })
    }

    /// Adds the model that the local binary carries; functions never have one.
    pub fn with_local_model(mut self, model: Arc<dyn LocalModel>) -> App {
        self.llm.local = Some(model);
        self
    }

    pub fn with_clock(mut self, clock: Clock) -> App {
        self.clock = clock;
        self
    }
}
