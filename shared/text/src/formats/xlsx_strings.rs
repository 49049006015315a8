//! The texts of a workbook, which its cells refer to by number: one long string and where each text ends.

use super::archive::Archive;
use super::xml::Token;
use crate::error::Error;
use crate::writer::Writer;

#[derive(Default)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<usize>,
}

impl Strings {
    pub(crate) fn read(archive: &mut Archive, part: &str, writer: &mut Writer) -> Result<Self, Error> {
        let mut strings = Self::default();
        let Some(mut xml) = archive.xml(part, &writer.meter)? else { return Ok(strings) };
        // Readings (furigana) repeat the text in another script.
        let mut in_reading = false;
        loop {
            match xml.next(writer)? {
                Token::Open(element) if element.name == "rPh" => in_reading = true,
                Token::Close("rPh") => in_reading = false,
                Token::Close("si") => strings.ends.push(strings.text.len()),
                Token::Text { text, parent: "t" } if !in_reading => {
                    strings.text.push_str(&text);
                    writer.meter.output(strings.text.len())?;
                }
                Token::End => return Ok(strings),
                _ => {}
            }
        }
    }

    pub(crate) fn get(&self, number: usize) -> Option<&str> {
        let start = if number == 0 { 0 } else { *self.ends.get(number - 1)? };
        self.text.get(start..*self.ends.get(number)?)
    }
}
