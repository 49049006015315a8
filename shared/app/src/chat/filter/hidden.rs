//! Characters that nobody sees: they smuggle text past readers, or split a word that a renderer joins again.

/// Tells what passes, one character at a time.
#[derive(Default)]
pub struct Hidden {
    after_selector: bool,
}

impl Hidden {
    /// No control but tab and line ends, no tag (U+E0000 and on), no bidi override or isolate, no zero width space, and
    /// one variation selector after a character: rows of them spell bytes. Joiners and direction marks pass, because
    /// Persian, Hindi, Hebrew and emoji are written with them; addresses are read without them.
    pub fn passes(&mut self, letter: char) -> bool {
        let selector = matches!(letter, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
        let repeated = selector && self.after_selector;
        let hidden = match letter {
            '\t' | '\n' | '\r' => false,
            '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => true,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' => true,
            '\u{e0000}'..='\u{e00ff}' => true,
            other => other.is_control() || repeated,
        };
        if !hidden {
            self.after_selector = selector;
        }
        !hidden
    }
}

/// A character that passes in text, and that no address is read with.
pub fn is_ignored(letter: char) -> bool {
    matches!(letter, '\u{200c}'..='\u{200f}' | '\u{61c}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}
