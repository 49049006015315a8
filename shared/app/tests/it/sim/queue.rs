//! The two queues between a bucket and ingestion: S3's through SQS, and R2's through its worker and the webhook. Both
//! deliver at least once, in any order they like.

use serde_json::{Value, json};

use super::fault::Fault;
use crate::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    S3,
    R2,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::S3 => "s3",
            Kind::R2 => "r2",
        }
    }
}

/// A message is given up after so many deliveries, as a redrive policy has it; then only the sweep helps.
const MOST_RECEIVES: usize = 5;

#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub body: Value,
    /// It names no document of ours and must be acknowledged, or is no event at all and must fail.
    pub stranger: Option<bool>,
    receives: usize,
    due: f64,
}

pub struct Queue {
    kind: Kind,
    messages: Vec<Message>,
    count: usize,
    /// Everything is lost, not only some.
    lossy: bool,
}

impl Queue {
    pub fn new(kind: Kind, dice: &mut Dice) -> Queue {
        Queue { kind, messages: Vec::new(), count: 0, lossy: dice.percent(60) }
    }

    /// Takes in one event of the bucket as this queue carries it; gives how many faults were added.
    pub fn push(&mut self, event: &str, time: f64, dice: &mut Dice, fault: Fault) -> usize {
        let event: Value = serde_json::from_str(event).unwrap();
        let body = match self.kind {
            Kind::S3 => event.clone(),
            Kind::R2 => r2(&event),
        };
        match fault {
            Fault::Drop if self.lossy || dice.percent(50) => return 1,
            Fault::Delay => {
                let late = dice.below(300) as f64;
                self.add(body, time + late, None);
                return 1;
            }
            _ => self.add(body.clone(), time, None),
        }
        match fault {
            Fault::Duplicate => {
                let copies = 1 + dice.below(2);
                (0..copies).for_each(|_| self.add(body.clone(), time, None));
                copies
            }
            Fault::PoisonInBatch => {
                let poison = [json!("no event"), json!({ "Records": 7 }), json!({ "poison": true }), json!(null)];
                self.add(dice.pick(&poison).clone(), time, Some(true));
                self.messages.rotate_right(dice.below(2));
                1
            }
            Fault::ForeignBucket => {
                self.add(self.renamed(&body, Some("other"), None), time, Some(false));
                1
            }
            Fault::BadKeyEncoding => {
                let key = self.key(&body);
                let keys = [
                    "%FF%FE".to_owned(),
                    format!("{key}/"),
                    key.replace('/', "%252F"),
                    format!("%2{key}"),
                    key.to_uppercase(),
                    format!("{key}%00"),
                    "t/+/+/1".to_owned(),
                    String::new(),
                ];
                self.add(self.renamed(&body, None, Some(dice.pick(&keys).as_str())), time, Some(false));
                1
            }
            Fault::Reorder | Fault::RedeliveryAfterSuccess | Fault::ForgedWebhook => 1,
            _ => 0,
        }
    }

    fn add(&mut self, body: Value, due: f64, stranger: Option<bool>) {
        self.count += 1;
        self.messages.push(Message { id: format!("m{}", self.count), body, stranger, receives: 0, due });
    }

    /// Takes a batch out: the oldest that are due, or any.
    pub fn take(&mut self, time: f64, most: usize, dice: &mut Dice, shuffled: bool) -> Vec<Message> {
        let mut batch = Vec::new();
        while batch.len() < most {
            let due: Vec<usize> = (0..self.messages.len()).filter(|at| self.messages[*at].due <= time).collect();
            let Some(first) = due.first() else { break };
            batch.push(self.messages.remove(if shuffled { *dice.pick(&due) } else { *first }));
        }
        batch
    }

    /// Not acknowledged: visible again after a while.
    pub fn again(&mut self, mut message: Message, time: f64) {
        message.receives += 1;
        message.due = time + 2.0;
        if message.receives < MOST_RECEIVES {
            self.messages.push(message);
        }
    }

    pub fn key(&self, body: &Value) -> String {
        let key = match self.kind {
            Kind::S3 => &body["Records"][0]["s3"]["object"]["key"],
            Kind::R2 => &body["object"]["key"],
        };
        key.as_str().unwrap_or_default().to_owned()
    }

    /// The same message about another bucket or another key.
    pub fn renamed(&self, body: &Value, bucket: Option<&str>, key: Option<&str>) -> Value {
        let mut body = body.clone();
        let (place, object) = match self.kind {
            Kind::S3 => ("/Records/0/s3/bucket/name", "/Records/0/s3/object/key"),
            Kind::R2 => ("/bucket", "/object/key"),
        };
        if let (Some(bucket), Some(at)) = (bucket, body.pointer_mut(place)) {
            *at = json!(bucket);
        }
        if let (Some(key), Some(at)) = (key, body.pointer_mut(object)) {
            *at = json!(key);
        }
        body
    }
}

/// <https://developers.cloudflare.com/r2/buckets/event-notifications/>
fn r2(event: &Value) -> Value {
    let record = &event["Records"][0];
    let object = &record["s3"]["object"];
    let deleted = record["eventName"].as_str().is_some_and(|name| name.starts_with("ObjectRemoved"));
    let mut entity = json!({ "key": object["key"] });
    if !deleted {
        entity["size"] = object["size"].clone();
        entity["eTag"] = object["eTag"].clone();
    }
    let action = if deleted { "DeleteObject" } else { "PutObject" };
    json!({ "account": "a", "action": action, "bucket": record["s3"]["bucket"]["name"], "object": entity, "eventTime": record["eventTime"] })
}
