//! Whose bytes are these: marks that name their tenant, ids that belong to whoever was shown them first, and a scan
//! that finds both.

use std::collections::HashMap;
use std::sync::Mutex;

use uuid::Uuid;

use crate::dice::mixed;

const MARK: &str = "canary-";
/// `canary-0042-` and twelve hexadecimal digits.
const MARK_LENGTH: usize = MARK.len() + 5 + 12;

/// What only this tenant may ever see. Nobody can guess its end, and no attacker sends it.
pub fn canary(tenant: usize) -> String {
    format!("{MARK}{tenant:04}-{:012x}", mixed(tenant as u64 + 0x5eed) >> 16)
}

/// A word that everybody knows: it stands beside the canary, so that one can ask for the other.
pub fn handle(tenant: usize) -> String {
    format!("gull{tenant:04}")
}

/// What a scan found.
#[derive(Default)]
pub struct Sightings {
    /// The asker's own canaries: they show that the scan sees anything at all.
    pub own: usize,
    pub foreign: Vec<String>,
}

/// Every id that was ever seen, and whose it is.
#[derive(Default)]
pub struct Register(Mutex<HashMap<Uuid, usize>>);

impl Register {
    pub fn note(&self, id: Uuid, tenant: usize) {
        self.0.lock().unwrap().insert(id, tenant);
    }

    /// Looks for what does not belong to the asker; nothing belongs to nobody. What the asker sent may come back to it.
    /// With `learn`, an id that nobody was shown yet becomes the asker's, so that others may not see it from now on.
    pub fn scan(&self, seen: &[u8], asker: Option<usize>, sent: &[u8], learn: bool) -> Sightings {
        let mut sightings = Sightings::default();
        for mark in marks(seen) {
            match (owner(&mark), asker) {
                (Some(owner), Some(asker)) if owner == asker => sightings.own += 1,
                _ => sightings.foreign.push(mark),
            }
        }
        let found = ids(seen);
        if found.is_empty() {
            return sightings;
        }
        let known = ids(sent);
        let mut owners = self.0.lock().unwrap();
        for (id, exact) in found {
            match (owners.get(&id), asker) {
                _ if known.iter().any(|(sent, _)| *sent == id) => {}
                (Some(owner), asker) if Some(*owner) != asker => sightings.foreign.push(id.to_string()),
                (None, Some(asker)) if learn && exact => {
                    owners.insert(id, asker);
                }
                _ => {}
            }
        }
        sightings
    }
}

fn marks(text: &[u8]) -> Vec<String> {
    let mut marks = Vec::new();
    for at in 0..text.len().saturating_sub(MARK_LENGTH - 1) {
        if text[at] == b'c' && text[at..].starts_with(MARK.as_bytes()) {
            marks.push(String::from_utf8_lossy(&text[at..at + MARK_LENGTH]).into_owned());
        }
    }
    // A tokenizer's `canary-0042` alone is no secret; a whole mark is.
    marks.retain(|mark| mark.len() == MARK_LENGTH && mark.as_bytes()[MARK.len() + 4] == b'-');
    marks
}

fn owner(mark: &str) -> Option<usize> {
    let tenant = mark.get(MARK.len()..MARK.len() + 4)?.parse().ok()?;
    (canary(tenant) == mark).then_some(tenant)
}

/// The UUIDs in a text, with dashes or without; `true` for those that stand alone and are no part of a longer number.
fn ids(text: &[u8]) -> Vec<(Uuid, bool)> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    let mut found = Vec::new();
    for run in text.split(|byte| !digit(byte)).filter(|run| run.len() >= 32) {
        for length in [32, 36] {
            for window in run.windows(length) {
                if let Some(id) = id(window) {
                    found.push((id, run.len() == length));
                }
            }
        }
    }
    found
}

fn id(window: &[u8]) -> Option<Uuid> {
    let dashes = window.iter().filter(|byte| **byte == b'-').count();
    (dashes == if window.len() == 32 { 0 } else { 4 }).then(|| Uuid::try_parse_ascii(window).ok())?
}

#[test]
fn a_scan_tells_own_from_foreign() {
    let register = Register::default();
    let (mine, theirs) = (Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8091_a2b3_c4d5_e6f7), Uuid::from_u128(7 << 100 | 9));
    register.note(mine, 1);
    register.note(theirs, 2);
    let foreign =
        |text: &str, asker, sent: &str| register.scan(text.as_bytes(), asker, sent.as_bytes(), false).foreign.len();
    let text = format!("\\n{} {mine}", canary(1));
    assert_eq!(register.scan(text.as_bytes(), Some(1), b"", false).own, 1);
    assert_eq!((foreign(&text, Some(1), ""), foreign(&text, Some(2), ""), foreign(&text, None, "")), (0, 2, 2));
    for spelled in [theirs.to_string(), theirs.simple().to_string(), format!("%2f{}%2f1", theirs.simple())] {
        assert_eq!((foreign(&spelled, Some(1), ""), foreign(&spelled, Some(1), &theirs.to_string())), (1, 0));
    }
    let new = Uuid::from_u128(3 << 90 | 5);
    register.scan(new.to_string().as_bytes(), Some(2), b"", true);
    assert_eq!((foreign(&new.to_string(), Some(2), ""), foreign(&new.to_string(), Some(1), "")), (0, 1));
}
