//! How numbers are shown: the number formats of a workbook's styles, as far as they say what a number means.

use std::collections::HashMap;

use super::archive::Archive;
use super::xlsx_dates as dates;
use super::xml::{Element, Token};
use crate::error::Error;
use crate::writer::Writer;

#[derive(Default)]
pub(crate) struct Formats {
    pub(crate) since_1904: bool,
    /// By the number of a cell's style.
    styles: Vec<Shown>,
}

#[derive(Debug, Clone, Default, PartialEq)]
enum Shown {
    #[default]
    Plain,
    Date {
        date: bool,
        time: bool,
    },
    /// Hours may go beyond a day.
    Elapsed,
    Number {
        decimals: usize,
        percent: bool,
        before: String,
        after: String,
    },
}

impl Formats {
    pub(crate) fn read(archive: &mut Archive, part: &str, writer: &mut Writer) -> Result<Self, Error> {
        let mut formats = Self::default();
        let Some(mut xml) = archive.index(part, &writer.meter)? else { return Ok(formats) };
        let mut codes: HashMap<u32, String> = HashMap::new();
        let number = |element: &Element| element.attribute("numFmtId").and_then(|id| id.parse::<u32>().ok());
        loop {
            match xml.next(writer)? {
                Token::Open(element) if element.name == "numFmt" => {
                    let code = element.attribute("formatCode").unwrap_or_default();
                    codes.extend(number(&element).map(|id| (id, code)));
                }
                Token::Open(element) if element.name == "xf" && element.parent == "cellXfs" => {
                    let id = number(&element).unwrap_or_default();
                    formats.styles.push(codes.get(&id).map_or_else(|| built_in(id), |code| parse(code)));
                }
                Token::End => return Ok(formats),
                _ => {}
            }
        }
    }

    /// A number as its style shows it, but without separators of thousands: a number stays one word.
    pub(crate) fn show(&self, value: &str, style: usize) -> String {
        let Some(number) = value.parse::<f64>().ok().filter(|number| number.is_finite()) else {
            return value.to_owned();
        };
        let shown = match self.styles.get(style).unwrap_or(&Shown::Plain) {
            Shown::Plain => None,
            Shown::Date { date, time } => dates::show(number, self.since_1904, *date, *time),
            Shown::Elapsed => dates::elapsed(number),
            Shown::Number { decimals, percent, before, after } => {
                let number = if *percent { number * 100.0 } else { number };
                let sign = if *percent { "%" } else { "" };
                Some(format!("{before}{number:.decimals$}{sign}{after}"))
            }
        };
        shown.unwrap_or_else(|| general(number))
    }
}

/// Fifteen digits, which is all that programs keep: `0.1 + 0.2` is `0.3`.
fn general(number: f64) -> String {
    let rounded = format!("{number:.14e}").parse().unwrap_or(number);
    if rounded != 0.0 && !(1e-9..1e15).contains(&f64::abs(rounded)) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

/// The formats that have a number only.
fn built_in(id: u32) -> Shown {
    match id {
        14..=17 | 27..=31 | 36 | 50..=58 => Shown::Date { date: true, time: false },
        18..=21 | 32..=35 | 45 | 47 => Shown::Date { date: false, time: true },
        22 => Shown::Date { date: true, time: true },
        46 => Shown::Elapsed,
        2 | 4 | 39 | 40 => parse("0.00"),
        9 => parse("0%"),
        10 => parse("0.00%"),
        1 | 3 | 37 | 38 => parse("0"),
        _ => Shown::Plain,
    }
}

const MOST_DECIMALS: usize = 15;

fn parse(code: &str) -> Shown {
    let (letters, before, after, elapsed) = scan(code.split(';').next().unwrap_or_default());
    if elapsed {
        return Shown::Elapsed;
    }
    let lower = letters.to_ascii_lowercase();
    if lower.contains("general")
        || lower.contains('@')
        || lower.contains("e+")
        || lower.contains('/') && !lower.contains(['y', 'd', 'm'])
    {
        return Shown::Plain;
    }
    let time = lower.contains(['h', 's']);
    let date = lower.contains(['y', 'd']) || (lower.contains('m') && !time);
    if date || time {
        return Shown::Date { date, time };
    }
    if !lower.contains(['0', '#']) {
        return Shown::Plain;
    }
    let fraction = lower.split_once('.').map_or("", |(_, fraction)| fraction);
    // Places marked with # are shown only where they are filled.
    if fraction.contains(['#', '?']) {
        return Shown::Plain;
    }
    let decimals = fraction.bytes().take_while(|&place| place == b'0').count().min(MOST_DECIMALS);
    Shown::Number { decimals, percent: lower.contains('%'), before, after }
}

/// What of a format code is neither quoted nor escaped nor in brackets; the words before and after the digits; and whether
/// time is counted beyond a day.
fn scan(code: &str) -> (String, String, String, bool) {
    let (mut letters, mut before, mut after, mut elapsed) = (String::new(), String::new(), String::new(), false);
    let mut rest = code.chars();
    while let Some(letter) = rest.next() {
        let word = if letters.contains(['0', '#', '?']) { &mut after } else { &mut before };
        match letter {
            '"' => word.extend(rest.by_ref().take_while(|&letter| letter != '"')),
            '\\' => word.extend(rest.next()),
            // As wide as the next character, or filled with it.
            '_' | '*' => drop(rest.next()),
            '[' => {
                let inside: String = rest.by_ref().take_while(|&letter| letter != ']').collect();
                if let Some(currency) = inside.strip_prefix('$') {
                    word.push_str(currency.split('-').next().unwrap_or_default());
                }
                elapsed |= matches!(inside.to_ascii_lowercase().as_str(), "h" | "hh" | "m" | "mm" | "s" | "ss");
            }
            '$' | '€' | '£' | '¥' | ' ' | '+' | '(' | ')' => word.push(letter),
            _ => letters.push(letter),
        }
    }
    (letters, before, after, elapsed)
}
