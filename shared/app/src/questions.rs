//! Vectors of questions that were asked before, for a while and in this process's memory. A vector follows from its text
//! and its model alone, so that no change of a document, a bot or anybody's rights can make it wrong; answers, which such
//! changes do make wrong, are made anew each time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use docent_llm::Endpoint;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::auth::TenantId;

/// Some 16 MB with vectors of 4,096 numbers.
pub const MOST_QUESTIONS: usize = 1_000;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Questions {
    /// `QUESTION_CACHE_SECONDS`; nothing is kept where it is none.
    lifetime: Duration,
    kept: Arc<Mutex<Kept>>,
}

/// Whose question of which model it is: one tenant learns nothing of what another has asked, not even by the time it
/// takes. No text is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

#[derive(Default)]
struct Kept {
    vectors: HashMap<Key, (Instant, Vec<f32>)>,
    /// By age, oldest first.
    order: VecDeque<(Instant, Key)>,
}

impl Key {
    /// The endpoint belongs to it: behind another address the same name may be another model.
    pub fn new(tenant: TenantId, endpoint: &Endpoint, model: &str, text: &str) -> Key {
        let mut hash = Sha256::new();
        hash.update(tenant.uuid());
        for part in [endpoint.base_url.as_str(), model, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Key(hash.finalize().into())
    }
}

impl Questions {
    pub fn kept_for(lifetime: Duration) -> Questions {
        Questions { lifetime, kept: Arc::default() }
    }

    pub fn find(&self, key: &Key) -> Option<Vec<f32>> {
        if self.lifetime.is_zero() {
            return None;
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, vector) = kept.vectors.get(key)?;
        (at.elapsed() < self.lifetime).then(|| vector.clone())
    }

    pub fn keep(&self, key: Key, vector: &[f32]) {
        if self.lifetime.is_zero() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while let Some((at, oldest)) = kept.order.front().copied() {
            if now - at < self.lifetime && kept.order.len() < MOST_QUESTIONS {
                break;
            }
            kept.order.pop_front();
            // It may have been asked and kept anew since.
            if kept.vectors.get(&oldest).is_some_and(|(kept_at, _)| *kept_at == at) {
                kept.vectors.remove(&oldest);
            }
        }
        kept.order.push_back((now, key));
        kept.vectors.insert(key, (now, vector.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Key(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_vector_is_kept_as_long_as_it_is_to_be() {
        let questions = Questions::kept_for(Duration::from_secs(60));
        questions.keep(key(1), &[1.0]);
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(questions.find(&key(1)), Some(vec![1.0]));
        assert_eq!(questions.find(&key(2)), None);
        questions.keep(key(1), &[2.0]);
        tokio::time::advance(Duration::from_secs(40)).await;
        questions.keep(key(3), &[3.0]);
        assert_eq!(questions.find(&key(1)), Some(vec![2.0]), "kept anew");
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(questions.find(&key(1)), None);
        let off = Questions::default();
        off.keep(key(1), &[1.0]);
        assert_eq!((off.find(&key(1)), off.kept.lock().unwrap().order.len()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_has_an_end() {
        let questions = Questions::kept_for(Duration::from_secs(60));
        for number in 0..MOST_QUESTIONS * 2 {
            questions.keep(key(number), &[0.0]);
        }
        let kept = questions.kept.lock().unwrap();
        assert_eq!((kept.vectors.len(), kept.order.len()), (MOST_QUESTIONS, MOST_QUESTIONS));
    }
}
