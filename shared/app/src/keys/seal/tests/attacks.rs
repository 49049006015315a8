//! Blobs that were flipped, swapped, cut, lengthened and spliced, in number: none opens.

use std::ops::Range;

use super::*;

/// `DOCENT_ATTACKS` sets another count; the seed is fixed, so that a failure comes again.
const ATTACKS: u64 = 100_000;
const SEED: u64 = 0x5eed;

const PROVIDERS: [&str; 4] = ["openai", "openrouter", "mistral", "acme"];
const ORIGINS: [&str; 3] = ["https://api.openai.com", "https://openrouter.ai", "https://api.attacker.example"];

/// A row of the table: where its blob belongs, and the blob.
struct Stored {
    tenant: Uuid,
    provider: &'static str,
    row: Uuid,
    origin: &'static str,
    blob: Vec<u8>,
}

impl Stored {
    fn place(&self) -> Context<'_> {
        Context { tenant: self.tenant, provider: self.provider, row: self.row, origin: self.origin }
    }
}

/// Eight tenants with every provider at every origin, half of the rows under an older master.
fn table(masters: [&Masters; 2]) -> Vec<Stored> {
    let clock = Clock::system();
    let mut rows = Vec::new();
    for tenant in 1..=8 {
        for (provider, origin) in PROVIDERS.iter().flat_map(|name| ORIGINS.map(|origin| (*name, origin))) {
            let mut stored =
                Stored { tenant: Uuid::from_u128(tenant), provider, row: clock.uuid(), origin, blob: Vec::new() };
            stored.blob = seal(masters[rows.len() % 2], &stored.place(), SECRET, &clock).unwrap();
            rows.push(stored);
        }
    }
    rows
}

#[test]
fn no_tampered_blob_opens() {
    let environment = Environment::process();
    let attacks = environment.get("DOCENT_ATTACKS").map_or(ATTACKS, |count| count.parse().unwrap());
    let [old, all] = [masters("a", &["a"]), masters("b", &["a", "b"])];
    let rows = table([&old, &all]);
    let opens = |stored: &Stored| open(&all, &stored.place(), &stored.blob).is_ok();
    assert!(rows.iter().all(opens), "what was not touched opens");

    let mut dice = Dice(SEED);
    let mut made = [0u64; 7];
    for number in 0..attacks {
        let kind = (number % 7) as usize;
        let (victim, donor) = dice.two(rows.len());
        let (victim, donor) = (&rows[victim], &rows[donor]);
        let place = if kind == 6 { move_in_one(&mut dice, victim, donor) } else { victim.place() };
        let forged = match kind {
            0 => flip(&mut dice, &victim.blob),
            1 => donor.blob.clone(),
            2 => victim.blob[..dice.below(victim.blob.len())].to_vec(),
            3 => lengthen(&mut dice, &victim.blob),
            4 => splice(&mut dice, &victim.blob, &donor.blob),
            5 => overwrite(&mut dice, &victim.blob),
            _ => victim.blob.clone(),
        };
        if forged == victim.blob && place == victim.place() {
            continue;
        }
        assert!(open(&all, &place, &forged).is_err(), "attack {number} of kind {kind} opened");
        made[kind] += 1;
    }
    let least = attacks / 7 * 3 / 4;
    assert!(made.iter().all(|count| *count >= least), "too few of one kind: {made:?}");
}

/// The victim's place with one part of the donor's: each part must be bound by itself.
fn move_in_one<'a>(dice: &mut Dice, victim: &'a Stored, donor: &'a Stored) -> Context<'a> {
    let place = victim.place();
    match dice.below(4) {
        0 => Context { tenant: donor.tenant, ..place },
        1 => Context { provider: donor.provider, ..place },
        2 => Context { row: donor.row, ..place },
        _ => Context { origin: donor.origin, ..place },
    }
}

fn flip(dice: &mut Dice, blob: &[u8]) -> Vec<u8> {
    let mut flipped = blob.to_vec();
    for _ in 0..=dice.below(3) {
        let bit = dice.below(8 * blob.len());
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
    flipped
}

fn lengthen(dice: &mut Dice, blob: &[u8]) -> Vec<u8> {
    let mut longer = blob.to_vec();
    let at = dice.below(blob.len() + 1);
    let more: Vec<u8> = (0..=dice.below(40)).map(|_| dice.below(256) as u8).collect();
    longer.splice(at..at, more);
    longer
}

/// Exchanges one part, cut at the format's borders, for that of another row.
fn splice(dice: &mut Dice, blob: &[u8], donor: &[u8]) -> Vec<u8> {
    let borders = [0, 1, 5, 5 + NONCE, WRAP, WRAP + COMMITMENT, WRAP + COMMITMENT + NONCE, blob.len()];
    let first = 1 + dice.below(borders.len() - 2);
    let last = first + 1 + dice.below(borders.len() - first - 1);
    let part: Range<usize> = borders[first]..borders[last];
    let mut spliced = blob.to_vec();
    spliced[part.clone()].copy_from_slice(&donor[part]);
    spliced
}

fn overwrite(dice: &mut Dice, blob: &[u8]) -> Vec<u8> {
    let mut overwritten = blob.to_vec();
    let start = dice.below(blob.len());
    let end = start + 1 + dice.below(blob.len() - start);
    overwritten[start..end].fill_with(|| dice.below(256) as u8);
    overwritten
}

/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>): reproducible, and all that a test needs.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Two different ones.
    fn two(&mut self, limit: usize) -> (usize, usize) {
        let first = self.below(limit);
        (first, (first + 1 + self.below(limit - 1)) % limit)
    }
}
