//! Dollars as people write them, and the millionths in which they are kept: integers add up exactly. Pure.

/// Millionths of a dollar in `12.5`; none for anything that is not a plain amount of at most six decimals.
pub fn parse(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let micros: i64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)
}

/// The amount with two decimals, or with as many as it takes.
pub fn format(micros: i64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, (micros % 1_000_000).abs());
    let sign = if micros < 0 && micros > -1_000_000 { "-" } else { "" };
    let cents = text.len() - 4;
    format!("{sign}{}{}", &text[..cents], text[cents..].trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, micros) in
            [("0", 0), ("5", 5_000_000), ("12.5", 12_500_000), ("0.000001", 1), ("1000000.00", 1_000_000_000_000)]
        {
            assert_eq!(parse(text), Some(micros), "{text}");
        }
        for text in
            ["", ".", "5.", ".5", "-1", "+1", "1e3", "1,5", "$5", " 5", "0.0000001", "NaN", "9999999999999", "٣"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_written_as_they_are() {
        for (micros, text) in
            [(0, "0.00"), (5_000_000, "5.00"), (12_345_600, "12.3456"), (1, "0.000001"), (-500_000, "-0.50")]
        {
            assert_eq!(format(micros), text);
        }
        assert_eq!(format(i64::MAX), "9223372036854.775807");
    }
}
