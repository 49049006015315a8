//! A sentence as words: numbers, units and months in one form, small words known as such.

/// A word with what is compared of it.
#[derive(Clone, Debug)]
pub struct Word {
    /// Lower case, without accents that plurals and cases change.
    pub text: String,
    pub token: Token,
    /// Begins with a capital and does not begin the sentence.
    pub named: bool,
    pub capital: bool,
    /// Begins a clause: behind a comma, a semicolon, a dash or a word such as "but".
    pub opens: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// In plain digits, the decimal point a point: `1000`, `3.5`. A month is the number that it has.
    Number(String),
    /// In one form for all spellings: `km`, `%`, `usd`.
    Unit(&'static str),
    /// Letters and digits together, as in `X-200`.
    Code,
    /// Says how the others hang together.
    Small,
    Plain,
}

impl Word {
    /// Says something that could be wrong.
    pub fn tells(&self) -> bool {
        !matches!(self.token, Token::Small)
    }

    /// The same number or unit, or words of one stem: equal but for an ending.
    pub fn is_kin(&self, other: &Word) -> bool {
        match (&self.token, &other.token) {
            (Token::Plain, Token::Plain) => kin(&self.text, &other.text),
            (Token::Number(left), Token::Number(right)) => left == right,
            (Token::Unit(left), Token::Unit(right)) => left == right,
            (Token::Code, Token::Code) => self.text == other.text,
            _ => false,
        }
    }
}

/// Letters at a word's end that its forms may differ in.
const MOST_ENDING: usize = 4;

fn kin(left: &str, right: &str) -> bool {
    if left == right || SAME.iter().any(|same| has(same, left) && has(same, right)) {
        return true;
    }
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let shared = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    let (short, long) = (left.len().min(right.len()), left.len().max(right.len()));
    // Scripts without spaces come as pairs of characters; in short words any letter counts.
    shared >= 3
        && long - shared <= MOST_ENDING
        && shared * 4 >= long * 2
        && shared + 2 >= short
        && shared * 3 >= short * 2
}

pub fn has(list: &str, word: &str) -> bool {
    list.split(' ').any(|other| other == word)
}

/// Words of a language of law, trade and manuals that say the same.
const SAME: [&str; 52] = [
    "close closes closed shut shuts closing",
    "open opens opened opening",
    "begin begins began start starts started commence commences commenced beginning",
    "end ends ended finish finishes finished stop stops expire expires",
    "buy buys bought purchase purchases purchased acquire acquired",
    "cost costs price priced charge charged",
    "must required requires require mandatory obliged need needs needed shall",
    "employee employees staff worker workers",
    "customer customers client clients",
    "car cars vehicle vehicles",
    "build built constructed construct erected",
    "big large",
    "small little",
    "fast quick rapid quickly rapidly",
    "get receive receives received gets obtain",
    "show shows display displays",
    "send sends sent submit submitted submits",
    "get gets grant granted given gives give",
    "found founded established establish set",
    "invent invented devised",
    "write wrote written author authored",
    "allow allowed allows permit permits permitted may can",
    "forbid forbidden prohibited banned prohibits",
    "yearly annual annually year",
    "monthly month months",
    "daily day days",
    "weekly week weeks",
    "around about approximately roughly circa",
    "at least minimum min",
    "most maximum max",
    "delete deletes deleted remove removes removed erased",
    "use uses used using utilise",
    "keep kept keeps store stored stores retained retain",
    "help helps assist assistance",
    "holiday holidays vacation leave",
    "pay pays paid payment",
    "return returned refund refunded",
    "weigh weighs weight",
    "length long",
    "height high tall",
    "width wide",
    "last lasts duration takes take",
    "guarantee guaranteed warranty",
    "rise rises rose increase increased increases grew grow",
    "fall falls fell decrease decreased decreases drop dropped dropped",
    "error errors fault failure",
    "wear worn wears",
    "person people persons",
    "child children",
    "man men",
    "woman women",
    "go goes went",
];

/// English, German, French, Spanish: articles, auxiliaries, prepositions, and what frames a statement.
const SMALL: &str = "a an the of and or to in is are was were be been being it its that this these those for on with as by at from into their his her they he she we you i \
    which who whom whose has have had do does did will would should could can may might shall also so then there such than per each any both via while when where if \
    since during within about over under up down out off according passage document text says states only just very more most less least all not no never without nor none \
    after before until but however although though because what how s t one our your them us every some between through around least both including \
    der die das den dem des ein eine einen einem einer eines und oder ist sind war waren wird werden wurde wurden zu zum zur von vom mit für auf im in am an bei aus nach vor als auch es er sie \
    wir ich sich wie dass nur sehr noch pro je laut nicht kein keine keinen keiner keinem nie niemals ohne hat haben hatte kann können muss müssen soll darf dürfen über unter um bis durch ab seit \
    le la les l d un une des du de et ou est sont était ont à a au aux en dans sur pour par avec que qui ce cette ces il elle ils elles se sa son ses leur leurs pas ne n jamais sans plus été être peut \
    doit doivent sont chaque selon après avant entre chez y qu \
    el los las lo un una unos unas y o es son fue era han ha en del al con por para que se su sus no nunca sin más como está están ser cada según puede debe sobre entre desde hasta";

/// Spellings of a unit; the first one is its form.
const UNITS: [&str; 26] = [
    "% percent percentage prozent pourcent pct",
    "km kilometre kilometres kilometer kilometers kilómetros kilomètres",
    "m metre metres meter meters metern metros mètres",
    "cm centimetre centimetres centimeter centimeters zentimeter",
    "mm millimetre millimetres millimeter millimeters",
    "mile miles mi",
    "ft foot feet",
    "kg kilogram kilograms kilo kilos kilogramm kilogramos kilogrammes",
    "g gram grams gramm gramos grammes",
    "mg milligram milligrams milligramm",
    "t ton tons tonne tonnes tonnen toneladas",
    "l litre litres liter liters litern litros",
    "ml millilitre millilitres milliliter milliliters",
    "eur € euro euros",
    "usd $ dollar dollars",
    "gbp £ pounds pound",
    "h hour hours stunde stunden heure heures hora horas",
    "min minute minutes minuten minutos",
    "s second seconds sekunde sekunden segundos secondes",
    "day days tag tage tagen jour jours día días",
    "week weeks woche wochen semaine semaines semana semanas",
    "month months monat monate monaten mois mes meses",
    "year years jahr jahre jahren an ans année années año años",
    "°c celsius c",
    "°f fahrenheit f",
    "v volt volts",
];

/// Spellings of a number from zero on, then tens.
const NUMBERS: [(&str, &str); 24] = [
    ("0", "zero null"),
    ("2", "two zwei deux dos twice"),
    ("3", "three drei trois tres"),
    ("4", "four vier quatre cuatro"),
    ("5", "five fünf cinq cinco"),
    ("6", "six sechs seis"),
    ("7", "seven sieben sept siete"),
    ("8", "eight acht huit ocho"),
    ("9", "nine neun neuf nueve"),
    ("10", "ten zehn dix diez"),
    ("11", "eleven elf onze"),
    ("12", "twelve zwölf douze doce"),
    ("14", "fourteen vierzehn quatorze catorce"),
    ("15", "fifteen fünfzehn quinze quince"),
    ("20", "twenty zwanzig vingt veinte"),
    ("30", "thirty dreißig trente treinta"),
    ("40", "forty vierzig"),
    ("50", "fifty fünfzig"),
    ("60", "sixty sechzig"),
    ("80", "eighty achtzig"),
    ("90", "ninety neunzig"),
    ("100", "hundred hundert cent cien"),
    ("1000", "thousand tausend mille mil"),
    ("1000000", "million millionen millions millones"),
];

const MONTHS: [&str; 12] = [
    "january jan januar janvier enero",
    "february feb februar février febrero",
    "march mar märz mars marzo",
    "april apr avril abril",
    "may mai mayo",
    "june jun juni juin junio",
    "july jul juli juillet julio",
    "august aug août agosto",
    "september sep sept septembre septiembre",
    "october oct oktober octobre octubre",
    "november nov novembre noviembre",
    "december dec dezember décembre diciembre",
];

/// Words that begin a clause of their own.
const OPENING: &str = "but except although though whereas while than als aber außer sondern obwohl mais sauf pero salvo aunque sino and und et y";

/// The words of one sentence. Citation markers and Markdown's emphasis are no words.
pub fn read(sentence: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut opens = true;
    for piece in sentence.split(|c: char| c.is_whitespace() || "()[]*\"“”„«»/–—:".contains(c)) {
        let closes = piece.ends_with([',', ';']);
        for part in parts(piece) {
            if let Some(joined) = thousands(words.last(), part) {
                words.pop();
                let text = joined.clone();
                words.push(Word { text, token: Token::Number(joined), named: false, capital: false, opens: false });
                continue;
            }
            let mut text = part.to_lowercase();
            // "Up to" and "bis zu" bound as "at most" does.
            if ["to", "zu"].contains(&text.as_str())
                && words.last().is_some_and(|word| ["up", "bis"].contains(&word.text.as_str()))
            {
                text = "most".to_owned();
            }
            opens |= has(OPENING, &text);
            let capital = part.starts_with(char::is_uppercase);
            let named = !words.is_empty() && capital && part.chars().count() > 1;
            words.push(Word { token: token(&text, words.last(), part), text, named, capital, opens });
            opens = false;
        }
        opens |= closes || ["–", "—", ":"].contains(&piece);
    }
    words
}

/// `48 000` in two pieces.
fn thousands(before: Option<&Word>, part: &str) -> Option<String> {
    let before = before.filter(|word| word.text.len() <= 3)?.token.clone();
    let Token::Number(start) = before else { return None };
    (part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit()) && start != "0")
        .then(|| format!("{start}{part}"))
}

/// A piece between spaces: currency and unit signs apart from their numbers, dates and ranges in their numbers.
fn parts(piece: &str) -> Vec<&str> {
    let trimmed = piece.trim_matches(|c: char| !c.is_alphanumeric() && !"%€$£°".contains(c));
    let numeric = trimmed.chars().all(|c| c.is_ascii_digit() || ".,'-:".contains(c));
    let separated = trimmed.matches('.').count() == 2 && trimmed.rsplit('.').next().is_some_and(|last| last.len() != 3);
    if numeric && (trimmed.contains(['-', ':']) || separated) {
        return trimmed.split(['-', ':', '.']).filter(|part| !part.is_empty()).collect();
    }
    let coded = trimmed.contains(|c: char| c.is_ascii_digit()) && trimmed.starts_with(char::is_alphabetic);
    if coded || trimmed.is_empty() {
        return if trimmed.is_empty() { Vec::new() } else { vec![trimmed] };
    }
    let number = |c: char| c.is_ascii_digit() || ".,'".contains(c);
    if trimmed.contains(|c: char| c.is_ascii_digit()) {
        let start = trimmed.find(number).unwrap_or(0);
        let end = trimmed[start..].find(|c| !number(c)).map_or(trimmed.len(), |end| start + end);
        let split = [&trimmed[..start], &trimmed[start..end], trimmed[end..].trim_start_matches('-')];
        return split.into_iter().filter(|part| !part.is_empty()).collect();
    }
    // Elided articles and hyphens: `l'usine`, `part-time`.
    trimmed.split(['\'', '’', '-', '.']).filter(|part| !part.is_empty()).collect()
}

fn token(text: &str, before: Option<&Word>, part: &str) -> Token {
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || ".,'".contains(c)) {
        return Token::Number(number(text));
    }
    if text.contains(|c: char| c.is_ascii_digit()) {
        return Token::Code;
    }
    let counted = before.is_some_and(|word| matches!(word.token, Token::Number(_)));
    if let Some(month) = MONTHS.iter().position(|names| has(names, text))
        && part.starts_with(char::is_uppercase) | (counted && text.chars().count() > 3)
        && (text != "may" || before.is_some())
    {
        return Token::Number((month + 1).to_string());
    }
    if let Some(unit) = UNITS.iter().find(|names| has(names, text))
        && (counted || text.chars().count() > 3 || "%€$£".contains(text))
    {
        return Token::Unit(unit.split(' ').next().unwrap_or_default());
    }
    if let Some((value, _)) = NUMBERS.iter().find(|(_, names)| has(names, text)) {
        return Token::Number((*value).to_owned());
    }
    if has(SMALL, text) { Token::Small } else { Token::Plain }
}

/// `1,000` and `1.000` are 1000; `3,5` is 3.5; `05` is 5.
fn number(text: &str) -> String {
    let trimmed = text.trim_end_matches(['.', ',', '\'']);
    let groups: Vec<&str> = trimmed.split([',', '.', '\'']).collect();
    let thousands = groups.len() > 1 && groups[1..].iter().all(|group| group.len() == 3) && groups[0] != "0";
    let plain = if thousands { groups.concat() } else { groups.join(".") };
    let plain = if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.').to_owned() } else { plain };
    match plain.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest if rest.starts_with('.') => format!("0{rest}"),
        rest => rest.to_owned(),
    }
}
