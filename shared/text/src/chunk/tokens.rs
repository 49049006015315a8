//! How many tokens a text is for a model, estimated.

/// A cheap estimate of model tokens: four ASCII characters, two of another alphabet or one ideograph each make
/// one. It lies within about 20 % for prose; budgets that must hold need a margin.
pub fn estimate_tokens(text: &str) -> u32 {
    let bytes = text.as_bytes();
    if bytes.is_ascii() {
        return u32::try_from(bytes.len().div_ceil(4)).unwrap_or(u32::MAX);
    }
    let mut quarters = 0u64;
    for (at, &byte) in bytes.iter().enumerate() {
        let weight = WEIGHTS[usize::from(byte)];
        quarters += if weight == ASK { weight_at(&bytes[at..]) } else { u64::from(weight) };
    }
    u32::try_from(quarters.div_ceil(4)).unwrap_or(u32::MAX)
}

/// The first byte of a character does not tell its weight alone.
const ASK: u8 = u8::MAX;

/// Quarters of a token by the first byte of a character; the bytes that follow it count nothing.
const WEIGHTS: [u8; 256] = {
    let mut weights = [1u8; 256];
    let mut byte = 0x80;
    while byte < 256 {
        weights[byte] = match byte {
            0x80..0xC0 => 0,
            // U+3000 to U+9FFF and U+B000 to U+CFFF.
            0xE3..=0xE9 | 0xEB..=0xEC => 4,
            0xE2 | 0xEA | 0xED | 0xF0 => ASK,
            _ => 2,
        };
        byte += 1;
    }
    weights
};

fn weight_at(character: &[u8]) -> u64 {
    let ideograph = match character {
        // From U+2E80, from U+AC00, up to U+D7AF and from U+20000.
        [0xE2, second, ..] => *second >= 0xBA,
        [0xEA, second, ..] => *second >= 0xB0,
        [0xED, second, third, ..] => (*second, *third) <= (0x9E, 0xAF),
        [0xF0, second, ..] => *second >= 0xA0,
        _ => false,
    };
    if ideograph { 4 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_weighs_what_its_alphabet_does() {
        for character in
            (0..=0x0003_FFFF).step_by(7).chain(0xD780..0xD800).chain(0x2E70..0x2E90).filter_map(char::from_u32)
        {
            let weight = match character {
                '\0'..='\u{7F}' => 1,
                '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{20000}'..='\u{3FFFF}' => 4,
                _ => 2,
            };
            assert_eq!(estimate_tokens(&character.to_string().repeat(4)), weight, "{character:?}");
        }
    }
}
