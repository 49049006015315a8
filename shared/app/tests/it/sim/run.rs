//! One seed, one world: clients act, messages are delivered, faults strike; then they stop, and everything must converge.

use bytes::Bytes;
use uuid::Uuid;

use super::check::Verdict;
use super::fault::Fault;
use super::lane::{Call, Lane, Ran};
use super::model::{self, Doc, Row, Version};
use super::queue::{Kind, Message, Queue};
use crate::dice::Dice;
use crate::world::Client;

/// What identifies a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub seed: u64,
    pub fault: Fault,
    pub kind: Kind,
}

/// After the faults stop, everything must be right within so many seconds, looked at at these moments. The timers
/// behind it: a dead worker's lease (INGEST_LEASE_SECONDS, 45 by default), the pauses after a failure (15 and 60), and
/// the minute after which a queued document counts as stuck.
const CALM: [f64; 6] = [0.0, 5.0, 10.0, 15.0, 15.0, 15.0];
pub const CONVERGES_WITHIN: f64 = 60.0;
/// Fractions keep sums of pauses away from whole seconds, at which the order of two events would be chance.
const BIT: f64 = 0.05;

pub struct Run<'a> {
    pub lane: &'a mut Lane,
    pub ticket: Ticket,
    pub dice: Dice,
    pub tenants: Vec<Client>,
    pub docs: Vec<Doc>,
    pub queue: Queue,
    pub time: f64,
    pub verdict: Verdict,
}

/// What a worker is called for.
#[derive(Clone)]
pub enum Work {
    Batch(Vec<Message>),
    Due,
    Sweep,
}

impl Run<'_> {
    pub fn ids(&self) -> Vec<Uuid> {
        self.tenants.iter().map(|client| client.tenant.uuid()).collect()
    }

    /// The whole story.
    pub async fn play(&mut self) -> Result<(), String> {
        for number in 0..1 + self.dice.below(2) {
            let client = self.lane.tenant().await;
            self.lane.gate.label(client.tenant.uuid().simple().to_string(), format!("t{number}"));
            self.tenants.push(client);
        }
        self.upload().await;
        for _ in 0..6 + self.dice.below(6) {
            self.lane.present();
            match self.dice.below(100) {
                0..38 => self.client().await?,
                38..76 => self.deliver().await?,
                76..84 => self.work(Work::Due).await?,
                84..90 => self.work(Work::Sweep).await?,
                _ => {
                    let seconds = *self.dice.pick(&[1.0, 7.0, 16.0, 33.0, 61.0, 130.0]) + BIT;
                    self.pass(seconds).await;
                }
            }
        }
        // What has not been struck yet is struck now.
        for _ in 0..3 {
            if self.lane.gate.injected() == 0 {
                self.upload().await;
                self.deliver().await?;
            }
        }
        self.calm().await
    }

    pub async fn pass(&mut self, seconds: f64) {
        self.time += seconds;
        self.lane.gate.note(format!("{seconds} s pass"));
        self.lane.pass(&self.ids(), seconds).await;
    }

    async fn deliver(&mut self) -> Result<(), String> {
        let most = 1 + self.dice.below(3);
        let batch = self.queue.take(self.time, most, &mut self.dice, self.ticket.fault == Fault::Reorder);
        if batch.is_empty() {
            return Ok(());
        }
        if self.ticket.fault == Fault::ForgedWebhook {
            self.forge(&batch).await?;
        }
        self.work(Work::Batch(batch)).await
    }

    /// One call of a worker, and what the fault makes of it.
    async fn work(&mut self, work: Work) -> Result<(), String> {
        let fault = self.ticket.fault;
        let arm = if self.dice.percent(80) { fault.arm(&mut self.dice) } else { None };
        self.lane.gate.note(work.name());
        if fault == Fault::EtagChange {
            self.prepare_overwrites();
        }
        let jump = self.jump();
        self.lane.gate.arm(arm);
        let mut call = self.call(&work, 0);
        let mut ran = self.lane.drive(&mut call, true).await;
        if ran == Ran::Held {
            ran = self.held(&work, call).await?;
        }
        self.lane.gate.disarm();
        self.lane.clock.turn(-jump);
        if fault == Fault::DatabaseRefuses {
            self.lane.mend().await;
        }
        self.ended(&work, &ran);
        self.absorb();
        self.always().await?;
        // Memory runs out over the same document again and again.
        if fault == Fault::OutOfMemory && ran == Ran::Expired && self.dice.percent(50) {
            self.lane.gate.arm(arm);
            let mut call = self.call(&work, 0);
            if self.lane.drive(&mut call, true).await == Ran::Held {
                self.kill(call).await;
            }
            self.lane.gate.disarm();
        }
        Ok(())
    }

    /// A worker stands still: it is dead, or others go past it.
    async fn held(&mut self, work: &Work, mut call: Call) -> Result<Ran, String> {
        match self.ticket.fault {
            Fault::DeadlineFreeze => {
                self.lane.end_idle_transactions().await;
                self.always().await?;
                let seconds = *self.dice.pick(&[20.0, 70.0, 130.0, 400.0]) + BIT;
                self.pass(seconds).await;
                self.other(work).await?;
            }
            Fault::ConcurrentDelivery => self.other(work).await?,
            _ => {
                self.kill(call).await;
                return Ok(Ran::Expired);
            }
        }
        self.lane.gate.note("thaw");
        self.lane.gate.thaw();
        Ok(self.lane.drive(&mut call, true).await)
    }

    /// Another process does the same, or something else, while the first one stands.
    async fn other(&mut self, work: &Work) -> Result<(), String> {
        let work = match self.dice.below(4) {
            0 => Work::Due,
            1 => Work::Sweep,
            _ => work.clone(),
        };
        self.lane.gate.note(format!("meanwhile {}", work.name()));
        let mut call = self.call(&work, 1);
        let ran = self.lane.drive(&mut call, true).await;
        if ran == Ran::Held {
            return Err("two were held".to_owned());
        }
        if self.dice.percent(30) {
            self.client().await?;
        }
        self.absorb();
        self.always().await
    }

    async fn kill(&mut self, call: Call) {
        self.lane.gate.note("killed");
        drop(call);
        self.lane.gate.forget_held();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    /// What was not acknowledged comes again.
    fn ended(&mut self, work: &Work, ran: &Ran) {
        let Work::Batch(batch) = work else { return };
        for message in batch {
            let again = match ran {
                Ran::Done(failed) => failed.contains(&message.id),
                Ran::Held | Ran::Expired => true,
            };
            if again {
                self.queue.again(message.clone(), self.time);
            } else if self.ticket.fault == Fault::RedeliveryAfterSuccess {
                self.lane.gate.count();
                self.queue.again(message.clone(), self.time);
            }
        }
        if let Ran::Done(failed) = ran {
            self.verdict.batch(batch, failed, self.ticket.fault);
        }
    }

    /// The worker's own clock is wrong by hours while it works.
    fn jump(&mut self) -> jiff::SignedDuration {
        if self.ticket.fault != Fault::ClockJump {
            return jiff::SignedDuration::ZERO;
        }
        self.lane.gate.count();
        let hours = *self.dice.pick(&[-48, -1, 1, 26, 24 * 400]);
        let jump = jiff::SignedDuration::from_hours(hours);
        self.lane.clock.turn(jump);
        jump
    }

    /// No fault any more: the platform's schedule goes on, and within a minute everything is as it should be.
    async fn calm(&mut self) -> Result<(), String> {
        self.lane.gate.disarm();
        self.lane.present();
        self.lane.gate.note("calm");
        self.absorb();
        self.verdict.blows = self.lane.gate.injected();
        let mut waited = 0.0;
        let mut outcome = Err(String::new());
        for (step, seconds) in CALM.into_iter().enumerate() {
            waited += seconds;
            if seconds > 0.0 {
                self.pass(seconds).await;
            }
            self.lane.present();
            loop {
                let batch = self.queue.take(self.time, 5, &mut self.dice, false);
                if batch.is_empty() {
                    break;
                }
                self.quietly(Work::Batch(batch)).await?;
            }
            self.quietly(Work::Due).await?;
            if step == 0 || waited >= CONVERGES_WITHIN {
                self.quietly(Work::Sweep).await?;
            }
            outcome = self.settled().await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map_err(|why| format!("not converged after {waited} s: {why}"))?;
        self.verdict.converged = waited;
        self.epilogue().await
    }

    pub async fn quietly(&mut self, work: Work) -> Result<(), String> {
        let mut call = self.call(&work, 0);
        let ran = self.lane.drive(&mut call, false).await;
        self.ended(&work, &ran);
        self.absorb();
        match ran {
            Ran::Done(_) => self.always().await,
            ran => Err(format!("without any fault a call ended with {ran:?}")),
        }
    }

    /// Other bytes for every document, to be uploaded by somebody in the middle of a read.
    fn prepare_overwrites(&mut self) {
        let mut spare = self.lane.front.spare.lock().unwrap();
        spare.clear();
        for (number, doc) in self.docs.iter().enumerate() {
            let mark = |more: usize| model::mark(doc.tenant, number, doc.made + more);
            let bytes = (0..3).rev().map(|more| model::text(&mark(more), 2)).collect::<Vec<Bytes>>();
            spare.insert(doc.key.clone(), bytes);
        }
    }

    /// Takes what happened in the bucket meanwhile into the model and into the queue.
    pub fn absorb(&mut self) {
        let uploaded = std::mem::take(&mut *self.lane.front.uploaded.lock().unwrap());
        for (key, etag, bytes) in uploaded {
            // An older version's bytes changed, which no longer count.
            let Some(number) = self.docs.iter().position(|doc| doc.key == key) else { continue };
            let mark = model::mark(self.docs[number].tenant, number, self.docs[number].made);
            self.put(number, etag, mark, &bytes);
        }
        while let Ok(event) = self.lane.events.try_recv() {
            let added = self.queue.push(&event, self.time, &mut self.dice, self.ticket.fault);
            for _ in 0..added {
                self.lane.gate.count();
            }
        }
    }

    pub fn put(&mut self, number: usize, etag: String, mark: String, bytes: &[u8]) {
        let doc = &mut self.docs[number];
        doc.versions.push(Version::new(etag, mark, &doc.name, bytes));
        (doc.here, doc.made) = (Some(doc.versions.len() - 1), doc.made + 1);
    }

    pub fn row<'b>(&self, rows: &'b [Row], doc: &Doc) -> Option<&'b Row> {
        rows.iter().find(|row| row.id == doc.id)
    }
}

impl Work {
    fn name(&self) -> String {
        match self {
            Work::Batch(batch) => format!("deliver {}", batch.len()),
            Work::Due => "due".to_owned(),
            Work::Sweep => "sweep".to_owned(),
        }
    }
}
