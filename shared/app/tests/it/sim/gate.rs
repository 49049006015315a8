//! Where a simulated worker can be stopped, killed or lied to: every statement, every request to the bucket, every
//! request to the provider. Counts them, so that the same seed hits the same one again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use docent::db::{Step, Watch};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, oneshot};

use super::fault::Arm;

/// What kind of step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before a connection is taken.
    Begin,
    /// Inside of a transaction, before its next statement.
    Inside,
    /// As a statement is sent.
    Statement,
    /// As a commit is sent.
    Commit,
    /// A commit was answered.
    Committed,
    /// A request to the bucket.
    Bucket,
    /// One of those that ask for bytes.
    Get,
    /// A request to the provider.
    Provider,
}

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The worker stops, and nothing has been done yet.
    Hold,
    /// The worker stops; a request has been done, and its answer is not known yet.
    HoldAfter,
    Sql(&'static str),
    LoseAck,
    /// The server takes no more connections and ends those that it has.
    Refuse,
    Status(u16),
    ShortBody,
    /// Somebody else uploads other bytes right now.
    Overwrite,
    /// Nothing comes, or nothing more.
    Starve,
    Refusal(u16),
    WrongCount,
    BadVectors,
}

type Refuse = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    pub held: Notify,
    refuse: OnceLock<Refuse>,
}

#[derive(Default)]
struct State {
    trace: Vec<String>,
    arm: Option<Arm>,
    injected: usize,
    thaw: Option<oneshot::Sender<()>>,
    starving: bool,
    activity: u64,
    /// Long names that differ from run to run, and short ones that do not.
    labels: HashMap<String, String>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Gate")
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn refuse_by(&self, refuse: Refuse) {
        assert!(self.refuse.set(refuse).is_ok());
    }

    pub fn arm(&self, arm: Option<Arm>) {
        let mut state = self.state();
        state.arm = arm;
        state.starving = false;
    }

    pub fn disarm(&self) {
        self.arm(None);
    }

    pub fn note(&self, text: impl Into<String>) {
        self.state().trace.push(text.into());
    }

    pub fn label(&self, long: String, short: String) {
        self.state().labels.insert(long, short);
    }

    /// Begins a new run: what the last one left behind is given back.
    pub fn begin(&self) -> (Vec<String>, usize) {
        let mut state = self.state();
        state.labels.clear();
        (state.arm, state.thaw, state.starving) = (None, None, false);
        (std::mem::take(&mut state.trace), std::mem::take(&mut state.injected))
    }

    pub fn injected(&self) -> usize {
        self.state().injected
    }

    /// A fault that happened to something else than a step.
    pub fn count(&self) {
        self.state().injected += 1;
    }

    pub fn activity(&self) -> u64 {
        self.state().activity
    }

    pub fn starving(&self) -> bool {
        self.state().starving
    }

    pub fn starve(&self) {
        self.state().starving = true;
    }

    /// Lets the one that was held go on.
    pub fn thaw(&self) {
        if let Some(thaw) = self.state().thaw.take() {
            let _ = thaw.send(());
        }
    }

    /// Ends the one that was held where it stands.
    pub fn forget_held(&self) {
        self.state().thaw = None;
    }

    /// A step is passed; says what hits it.
    pub fn pass(&self, places: &[Place], what: &str) -> Option<Blow> {
        let mut state = self.state();
        state.activity += 1;
        if places != [Place::Inside] {
            let mut what = what.to_owned();
            for (long, short) in &state.labels {
                what = what.replace(long, short);
            }
            state.trace.push(what);
        }
        let arm = state.arm.as_mut().filter(|arm| arm.places.iter().any(|place| places.contains(place)))?;
        if arm.after > 0 {
            arm.after -= 1;
            return None;
        }
        let blow = arm.blow;
        arm.times -= 1;
        if arm.times == 0 {
            state.arm = None;
        }
        state.injected += 1;
        let text = format!("! {blow:?}");
        state.trace.push(text);
        Some(blow)
    }

    /// Stops here until [`Gate::thaw`]; false when it was killed meanwhile.
    pub fn hold(&self) -> impl Future<Output = bool> + Send + 'static {
        let (thaw, thawed) = oneshot::channel();
        self.state().thaw = Some(thaw);
        self.held.notify_one();
        async move { thawed.await.is_ok() }
    }
}

impl Watch for Gate {
    fn stop(&self, step: Step<'_>) -> BoxFuture<'static, ()> {
        let (place, what) = match step {
            Step::Begin => (Place::Begin, "begin"),
            Step::Statement(_) => (Place::Inside, ""),
            Step::Committed => (Place::Committed, "committed"),
        };
        match self.pass(&[place], what) {
            Some(Blow::Hold | Blow::HoldAfter) => self.hold().map(|_| ()).boxed(),
            Some(Blow::Refuse) => self.refuse.get().map_or_else(|| std::future::ready(()).boxed(), |refuse| refuse()),
            _ => std::future::ready(()).boxed(),
        }
    }

    fn before(&self, sql: &str) -> Option<String> {
        let words: Vec<&str> =
            sql.lines().filter(|line| !line.starts_with("--")).flat_map(str::split_whitespace).collect();
        match self.pass(&[Place::Statement], &words[..words.len().min(7)].join(" ")) {
            Some(Blow::Sql(fault)) => Some(fault.to_owned()),
            _ => None,
        }
    }

    fn commit(&self) -> Option<String> {
        match self.pass(&[Place::Commit], "commit") {
            Some(Blow::LoseAck) => Some("commit; select pg_terminate_backend(pg_backend_pid())".to_owned()),
            _ => None,
        }
    }
}

pub type Shared = Arc<Gate>;
