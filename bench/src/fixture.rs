//! Documents to measure with, the same ones on every run: prose of an invented language, as text and as a PDF.

use std::fmt::Write;

/// What one upload may weigh by default is 5 MiB; this stays just below it.
pub const BYTES: usize = 5_000_000;

const LINES_PER_PAGE: usize = 46;
const LINE: usize = 88;

/// Repeatable "random" numbers: Knuth's MMIX generator.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// Small numbers are likelier, as common words are.
    fn common(&mut self, end: usize) -> usize {
        let first = self.below(end);
        first * self.below(end) / end * self.below(end) / end
    }
}

/// About `bytes` of paragraphs below numbered headings.
pub fn text(bytes: usize) -> String {
    let mut dice = Dice(1);
    let words = vocabulary(&mut dice);
    let mut text = String::with_capacity(bytes + 4096);
    let mut section = 0;
    while text.len() < bytes {
        section += 1;
        let _ = writeln!(text, "# {section} {}\n", sentence(&mut dice, &words, 4).trim_end_matches('.'));
        for _ in 0..4 {
            let sentences: Vec<String> = (0..5)
                .map(|_| {
                    let length = 8 + dice.below(14);
                    sentence(&mut dice, &words, length)
                })
                .collect();
            let _ = writeln!(text, "{}\n", sentences.join(" "));
        }
    }
    text.truncate(bytes);
    text
}

fn vocabulary(dice: &mut Dice) -> Vec<String> {
    const SYLLABLES: [&str; 24] = [
        "ba", "re", "mi", "to", "lu", "ken", "dor", "sal", "vin", "par", "tes", "mon", "gil", "fer", "nas", "cor",
        "wen", "hal", "pid", "rus", "ste", "tro", "pla", "an",
    ];
    let mut word = || -> String {
        let syllables = 1 + dice.below(4);
        (0..syllables).filter_map(|_| SYLLABLES.get(dice.below(SYLLABLES.len())).copied()).collect()
    };
    (0..20_000).map(|_| word()).collect()
}

fn sentence(dice: &mut Dice, words: &[String], length: usize) -> String {
    let chosen: Vec<&str> =
        (0..length).filter_map(|_| words.get(dice.common(words.len()))).map(String::as_str).collect();
    let text = chosen.join(" ");
    let (first, rest) = text.split_at(text.len().min(1));
    format!("{}{rest}.", first.to_uppercase())
}

/// A PDF of about `bytes`: one content stream per page, not compressed, in Helvetica.
/// ISO 32000-1 §7.5 (file structure), §9.4 (text).
pub fn pdf(bytes: usize) -> Vec<u8> {
    // A line of text costs 11 bytes of operators, a page some 230.
    let prose = text(bytes * LINE / (LINE + 16));
    let lines = wrapped(&prose);
    let pages: Vec<&[String]> = lines.chunks(LINES_PER_PAGE).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Count {} /Kids [{}] >>", pages.len(), kids(pages.len())),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    for (number, page) in pages.iter().enumerate() {
        let mut stream = String::from("BT /F1 10 Tf 14 TL 56 780 Td\n");
        for line in *page {
            let _ = writeln!(stream, "({line}) Tj T*");
        }
        stream.push_str("ET");
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>",
            5 + 2 * number
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
    }
    file(&objects)
}

fn kids(pages: usize) -> String {
    (0..pages).map(|page| format!("{} 0 R", 4 + 2 * page)).collect::<Vec<_>>().join(" ")
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if line.len() + word.len() > LINE {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

fn file(objects: &[String]) -> Vec<u8> {
    let mut file = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(file.len());
        let _ = write!(file, "{} 0 obj\n{object}\nendobj\n", number + 1);
    }
    let table = file.len();
    let _ = write!(file, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        let _ = writeln!(file, "{place:010} 00000 n ");
    }
    let _ = write!(file, "trailer << /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    file.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pdf_reads_back_as_the_prose_that_went_in() {
        let extract = docent_text::extract(&pdf(100_000), "prose.pdf", None, &docent_text::Budget::default()).unwrap();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&extract.text)[..50], words(&text(1000))[..50]);
        assert!(extract.pages.len() > 10, "{} pages", extract.pages.len());
    }

    #[test]
    fn the_same_bytes_come_every_time() {
        assert_eq!(text(10_000), text(10_000));
        let weight = pdf(BYTES).len() as f64 / BYTES as f64;
        assert!((0.9..1.05).contains(&weight), "the PDF has {weight} of the wanted bytes");
    }
}
