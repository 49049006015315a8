//! Whether a question leans on what was said before it. By its words alone: no model is asked.

use crate::question::{telling, telling_but};

/// A question that names more than this says by itself what it is about, whatever small words it has: "How long does the
/// warranty of the lamp last, and does it cover water?".
const MOST_TELLING: usize = 2;
/// Characters of a question without spaces between its words.
const LONGEST_UNSPACED: usize = 24;

/// Words that stand for something said before. None that is more often an article, or a polite "you".
const BACK: &str = "it its they them their theirs he him his she her hers this that these those one ones \
    er ihn ihm ihr ihre ihren ihrer ihrem sein seine seinen dies dieser diese dieses diesen davon dafür damit dazu daran \
    darauf darin dabei danach davor elle elles ils cela ça celui celle ceux celles cette él ella ellos ellas eso esto allí ciò \
    questo questa quello quella ele ela eles elas isso isto aquilo hij daarvan ervan он она оно они его её ее их это этот эта";

/// Words that stand for something only in small letters, or only at the end: "Sie" and "das" otherwise mean you and the.
const BACK_SMALL: &str = "sie es";
const BACK_LAST: &str = "das there then dort là lá ahí lì daar so";

/// Words that begin what goes on.
const GOES_ON: &str = "and but or also then und aber oder sowie außerdem et mais ou alors y pero e ed ma mas en maar och og \
    и а но или";

/// Words that ask and name nothing, beside the English ones that frame a question.
const ASKING: &str = "warum wieso weshalb wann wer wie viel wieviel lange wo wozu pourquoi quand combien où por qué cuándo \
    cuánto cuánta dónde quién perché quando quanto dove chi porque porquê quem onde waarom wanneer hoeveel waar wie varför när \
    почему когда где сколько кто зачем";
/// What shows that `es` is German for it, and not Spanish for is.
const GERMAN: &str = "wann wie warum wieso wer wo was wurde wird ist hat kann kostet dauert und";
const GOES_ON_PHRASES: [&str; 10] = [
    "what about",
    "how about",
    "what if",
    "was ist mit",
    "wie ist es mit",
    "wie sieht es mit",
    "qu'en est-il",
    "qué hay de",
    "y qué",
    "e quanto",
];

/// The same in scripts that put no spaces between words.
const BACK_UNSPACED: [&str; 16] = [
    "它",
    "他们",
    "她",
    "这个",
    "那个",
    "這個",
    "那個",
    "其中",
    "呢",
    "それ",
    "その",
    "そこ",
    "これ",
    "この",
    "では",
    "じゃあ",
];
/// Korean puts spaces, and hangs its particles on the words.
const BACK_KOREAN: [&str; 4] = ["그것", "그거", "그건", "그리고"];

/// A short question that names little and points back: "And when was it closed?", "Why?", "그것은 언제?".
pub fn refers_back(question: &str) -> bool {
    let words: Vec<&str> = question
        .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    let unspaced = question.chars().filter(|letter| is_unspaced(*letter)).count();
    if unspaced * 2 > question.chars().count() {
        return unspaced <= LONGEST_UNSPACED && BACK_UNSPACED.iter().any(|word| question.contains(word));
    }
    if question.contains(|letter| matches!(letter, '\u{ac00}'..='\u{d7a3}')) {
        let points = words.iter().any(|word| BACK_KOREAN.iter().any(|start| word.starts_with(start)));
        return points && question.chars().count() <= LONGEST_UNSPACED;
    }
    let points_only = |word: &str| {
        word.chars().nth(1).is_none()
            || [BACK, BACK_SMALL, BACK_LAST, GOES_ON, ASKING].iter().any(|list| listed(list, word))
    };
    let named = telling_but(question, points_only);
    if words.is_empty() || named > MOST_TELLING {
        return false;
    }
    named == 0 || goes_on(question, &words) || words.iter().enumerate().any(|(at, word)| points(&words, at, word))
}

fn goes_on(question: &str, words: &[&str]) -> bool {
    let lower = question.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let first = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
    listed(GOES_ON, &first) && words.len() > 1 || GOES_ON_PHRASES.iter().any(|phrase| lower.starts_with(phrase))
}

fn points(words: &[&str], at: usize, word: &str) -> bool {
    let lower = word.to_lowercase();
    let beside = |step: isize| {
        let place = at.checked_add_signed(step);
        place.and_then(|place| words.get(place)).map(|word| word.to_lowercase()).unwrap_or_default()
    };
    // "Is it possible to pay later?", "Gibt es Rabatt?", "Quelle heure est-il?": it stands for nothing.
    let empty = match lower.as_str() {
        "it" => {
            listed("is was does take takes took", &beside(-1))
                && listed("possible allowed necessary true to long", &beside(1))
        }
        "es" => {
            listed("gibt gab geht", &beside(-1))
                || listed("gibt gab", &beside(1))
                || !words.iter().any(|word| listed(GERMAN, &word.to_lowercase()))
        }
        "that" | "this" => !beside(-1).is_empty() && telling(&beside(-1)) > 0 && telling(&beside(1)) > 0,
        _ => false,
    };
    let last = at + 1 == words.len();
    !empty
        && (listed(BACK, &lower)
            || (listed(BACK_SMALL, word) && at > 0)
            || (listed(BACK_LAST, &lower) && last && at > 0))
}

fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|one| one == word)
}

/// Han, Hiragana and Katakana.
fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leans_on_the_question_before_is_seen() {
        for question in [
            "And when was it closed?",
            "Why was it closed?",
            "Why?",
            "How much?",
            "Since when?",
            "What about Norway?",
            "How about returns?",
            "And in winter?",
            "Who built it?",
            "When did they arrive?",
            "Does this cover water?",
            "What does he charge?",
            "And who pays for that?",
            "How do I get there?",
            "Und wann wurde sie geschlossen?",
            "Warum?",
            "Wie hoch ist er?",
            "Was kostet das?",
            "Was ist mit Norwegen?",
            "Gilt das auch dafür?",
            "Et quand a-t-elle fermé ?",
            "Et en hiver ?",
            "¿Y cuándo cerró?",
            "E quando è stato chiuso?",
            "E no inverno?",
            "А когда он закрыт?",
            "它什么时候关闭的？",
            "それはいつ閉まりますか",
            "冬天呢？",
            "그것은 언제 닫혔나요?",
        ] {
            assert!(refers_back(question), "{question}");
        }
    }

    #[test]
    fn what_stands_alone_is_left_alone() {
        for question in [
            "",
            "?",
            "What is the refund policy?",
            "warranty",
            "Refunds",
            "Who wrote the manual?",
            "Is there a refund policy?",
            "Are there any discounts?",
            "Is it possible to return shoes?",
            "How long does it take to ship to Norway?",
            "How long does the warranty of the lamp last, and does it cover water?",
            "At what mean distance does the Moon orbit?",
            "Why was the bridge at Oster closed?",
            "Which fee applies to returns that arrive late?",
            "Who painted the chapel ceiling in Rome?",
            "Wie lange ist die Garantie?",
            "Was ist das Rückgaberecht?",
            "Gibt es Rabatte?",
            "Haben Sie Rabatte?",
            "Quel est le délai de livraison ?",
            "Est-ce que vous livrez en Norvège ?",
            "Quelle heure est-il à Rome ?",
            "¿Cuál es su política de devoluciones?",
            "Qual è la garanzia della lampada?",
            "Quanto custa o envio?",
            "Сколько стоит доставка?",
            "退款需要多久",
            "返金は何日かかりますか",
            "배송비는 얼마인가요?",
            "ERR-4711",
        ] {
            assert!(!refers_back(question), "{question}");
        }
    }
}
