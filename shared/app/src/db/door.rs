//! The door that only tests can open: with it, one wall of three is taken away and the other two must hold.

use std::borrow::Cow;
#[cfg(feature = "test-doors")]
use std::collections::BTreeSet;
#[cfg(feature = "test-doors")]
use std::sync::{Arc, Mutex, PoisonError};

/// Closed in every build but tests' (feature `test-doors`).
#[derive(Clone, Debug, Default)]
pub struct Door {
    #[cfg(feature = "test-doors")]
    missing: Option<Wall>,
    #[cfg(feature = "test-doors")]
    heard: Option<Statements>,
    #[cfg(feature = "test-doors")]
    watch: Option<Arc<dyn Watch>>,
}

/// A simulation that stands beside every step and decides what becomes of it.
#[cfg(feature = "test-doors")]
pub trait Watch: Send + Sync + std::fmt::Debug {
    /// Ends when the worker may go on. One that is dropped meanwhile was killed at this step.
    fn stop(&self, step: Step<'_>) -> futures_util::future::BoxFuture<'static, ()>;

    /// What is sent right before this statement, so that the server itself makes it fail.
    fn before(&self, sql: &str) -> Option<String>;

    /// What is sent in place of a transaction's commit.
    fn commit(&self) -> Option<String>;
}

/// Where a worker stands. Statements that share a trip with their commit have no step of their own: they are on the
/// wire before anybody could stop.
#[cfg(feature = "test-doors")]
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// No connection is held yet.
    Begin,
    /// Inside of a transaction, before this statement is sent.
    Statement(&'a str),
    /// The commit was answered.
    Committed,
}

/// The statements that passed, each once and word for word.
#[cfg(feature = "test-doors")]
pub type Statements = Arc<Mutex<BTreeSet<String>>>;

/// A wall that a test may take away.
#[cfg(feature = "test-doors")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wall {
    /// The explicit `tenant_id = $1` of every statement.
    Predicate,
    /// One of them: of this statement, the one at this place.
    OnePredicate(String, usize),
    /// Row security: the connection may be a superuser's.
    RowSecurity,
    /// The tenant's setting, which row security reads, is never made.
    Setting,
    /// The setting outlives its transaction.
    SettingEnds,
    /// Predicates and row security: shows that the tests which take one away would notice.
    Both,
}

impl Door {
    pub const fn closed() -> Door {
        Door {
            #[cfg(feature = "test-doors")]
            missing: None,
            #[cfg(feature = "test-doors")]
            heard: None,
            #[cfg(feature = "test-doors")]
            watch: None,
        }
    }

    #[cfg(feature = "test-doors")]
    pub fn without(wall: Wall) -> Door {
        Door { missing: Some(wall), ..Door::closed() }
    }

    /// Closed, and writes down what passes.
    #[cfg(feature = "test-doors")]
    pub fn listening(heard: Statements) -> Door {
        Door { heard: Some(heard), ..Door::closed() }
    }

    /// Closed, and watched at every step.
    #[cfg(feature = "test-doors")]
    pub fn watched(watch: Arc<dyn Watch>) -> Door {
        Door { watch: Some(watch), ..Door::closed() }
    }

    pub(super) async fn begin(&self) {
        #[cfg(feature = "test-doors")]
        if let Some(watch) = &self.watch {
            watch.stop(Step::Begin).await;
        }
    }

    #[cfg_attr(not(feature = "test-doors"), expect(unused_variables, reason = "only a watch asks for it"))]
    pub(super) async fn statement(&self, sql: &str) {
        #[cfg(feature = "test-doors")]
        if let Some(watch) = &self.watch {
            watch.stop(Step::Statement(sql)).await;
        }
    }

    pub(super) async fn committed(&self) {
        #[cfg(feature = "test-doors")]
        if let Some(watch) = &self.watch {
            watch.stop(Step::Committed).await;
        }
    }

    /// What is sent before a statement.
    #[cfg(not(feature = "test-doors"))]
    pub(super) fn before(&self, _: &str) -> Option<String> {
        None
    }

    #[cfg(feature = "test-doors")]
    pub(super) fn before(&self, sql: &str) -> Option<String> {
        self.watch.as_ref()?.before(sql)
    }

    /// What ends a transaction.
    #[cfg(not(feature = "test-doors"))]
    pub(super) fn ending<'a>(&self, how: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(how)
    }

    #[cfg(feature = "test-doors")]
    pub(super) fn ending<'a>(&self, how: &'a str) -> Cow<'a, str> {
        let changed = self.watch.as_ref().filter(|_| how == "commit").and_then(|watch| watch.commit());
        changed.map_or(Cow::Borrowed(how), Cow::Owned)
    }

    #[cfg(not(feature = "test-doors"))]
    pub(super) fn rewrite<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(sql)
    }

    #[cfg(feature = "test-doors")]
    pub(super) fn rewrite<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        if let Some(heard) = &self.heard {
            heard.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned());
        }
        match &self.missing {
            Some(Wall::Predicate | Wall::Both) => Cow::Owned(without_predicate(sql, None)),
            Some(Wall::OnePredicate(statement, place)) if statement == sql => {
                Cow::Owned(without_predicate(sql, Some(*place)))
            }
            _ => Cow::Borrowed(sql),
        }
    }

    /// What opens a transaction.
    #[cfg(not(feature = "test-doors"))]
    pub(super) fn opening(&self, sql: String) -> String {
        sql
    }

    #[cfg(feature = "test-doors")]
    pub(super) fn opening(&self, sql: String) -> String {
        match &self.missing {
            Some(Wall::Setting) => "begin".to_owned(),
            Some(Wall::SettingEnds) => sql.replace(", true)", ", false)"),
            _ => sql,
        }
    }

    pub(super) fn skips_role_check(&self) -> bool {
        #[cfg(feature = "test-doors")]
        return matches!(self.missing, Some(Wall::RowSecurity | Wall::Both));
        #[cfg(not(feature = "test-doors"))]
        return false;
    }
}

/// Replaces `[alias.]tenant_id = $1` by a condition that always holds: everywhere, or at one place.
#[cfg(feature = "test-doors")]
pub fn without_predicate(sql: &str, only: Option<usize>) -> String {
    let mut parts = sql.split("tenant_id = $1");
    let mut rewritten = parts.next().unwrap_or_default().to_owned();
    for (place, part) in parts.enumerate() {
        if only.is_some_and(|only| only != place) {
            rewritten.push_str("tenant_id = $1");
        } else {
            if rewritten.ends_with('.') {
                rewritten.pop();
                let kept = rewritten.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
                rewritten.truncate(kept);
            }
            rewritten.push_str("$1::uuid is not null");
        }
        rewritten.push_str(part);
    }
    rewritten
}
