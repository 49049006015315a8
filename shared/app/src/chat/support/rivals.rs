//! Words that say the opposite of each other, negations, and words that changed places.

use super::facts::{beside, closer};
use super::words::{Token, Word, has};
use super::{CLAUSE_OVERLAP, clauses, telling};

/// Groups of words that exclude each other, by line; spellings of one meaning share a group.
const EXCLUSIVE: [&[&str]; 42] = [
    &[
        "increase increases increased increasing raise raises rise rises rose risen grew grow grows raised steigt stieg gestiegen erhöht augmente augmenté aumenta aumentó aumentaron",
        "decrease decreases decreased decreasing fall falls fell fallen drop dropped shrank reduced reduces lowers lowered sinkt sank gesunken senkt diminue diminué baisse disminuye disminuyó bajó",
    ],
    &["before prior vor avant antes", "after following nach après después"],
    &["more greater higher mehr höher plus más", "less fewer lower weniger niedriger moins menos"],
    &["minimum min least mindestens minimo mínimo", "maximum max most höchstens maximal máximo"],
    &[
        "allow allowed allows permit permits permitted may erlaubt dürfen darf autorisé permis permitido puede",
        "forbid forbidden prohibited prohibits banned verboten interdit prohibido",
    ],
    &[
        "include includes included including inbegriffen enthalten compris incluido incluye",
        "exclude excludes excluded excluding ausgeschlossen exclu excluido excluye",
    ],
    &[
        "first erste ersten erster premier première primer primera",
        "second zweite zweiten deuxième segundo segunda",
        "third dritte dritten troisième tercer tercera",
        "last letzte letzten dernier dernière último última",
        "fourth vierte",
        "fifth fünfte",
    ],
    &[
        "always immer toujours siempre",
        "never nie niemals jamais nunca",
        "sometimes manchmal parfois",
        "rarely selten rarement raramente",
        "usually often meist",
    ],
    &[
        "open opens opened geöffnet öffnet ouvert ouvre abierto abre",
        "closed close closes shut shuts geschlossen schließt fermé ferme cerrado cierra",
    ],
    &[
        "north northern norden nördlich nord norte",
        "south southern süden südlich sud sur",
        "east eastern osten östlich est este",
        "west western westen westlich ouest oeste",
    ],
    &["left links gauche izquierda", "right rechts droite derecha"],
    &[
        "all every each alle jeder jede tous toutes todos todas",
        "some einige manche certains certaines algunos algunas",
        "few wenige peu pocos",
        "none kein keine aucun ninguno",
        "most meisten plupart mayoría",
        "half hälfte moitié mitad",
        "only",
    ],
    &[
        "monday montag lundi lunes mondays montags",
        "tuesday dienstag mardi martes tuesdays dienstags",
        "wednesday mittwoch mercredi miércoles wednesdays",
        "thursday donnerstag jeudi jueves thursdays",
        "friday freitag vendredi viernes fridays",
        "saturday samstag samedi sábado saturdays samstags",
        "sunday sonntag dimanche domingo sundays sonntags",
    ],
    &["hot warm heiß chaud caliente", "cold cool kalt froid frío"],
    &["above over über oben", "below under unter unten beneath"],
    &["upper top", "lower bottom"],
    &["inside indoors indoor", "outside outdoors outdoor"],
    &[
        "begin begins began start starts started beginnt beginning commence comienza empieza",
        "end ends ended finish finishes finished stop stops endet termine termina",
    ],
    &["day daytime tagsüber", "night nachts nacht nuit noche"],
    &["morning morgens matin mañana", "afternoon nachmittags tarde", "evening abends soir"],
    &["import imports imported importe importa", "export exports exported exporte exporta"],
    &["buy buys bought purchased kauft kaufte", "sell sells sold verkauft verkaufte"],
    &["win wins won gewann", "lose loses lost verlor"],
    &["male men man", "female women woman"],
    &[
        "required mandatory obligatory verpflichtend obligatoire obligatorio pflicht",
        "optional voluntary freiwillig facultatif opcional",
    ],
    &["oldest older earliest älteste", "newest younger youngest newer latest jüngste neueste"],
    &["largest biggest größte plus grand", "smallest kleinste"],
    &["longest längste", "shortest kürzeste"],
    &["highest tallest höchste", "lowest deepest niedrigste"],
    &["fast faster fastest quick quickly", "slow slower slowest slowly"],
    &["early earlier früh früher", "late later spät später"],
    &["accept accepts accepted approved approve angenommen", "reject rejects rejected refused abgelehnt declined"],
    &["success successful succeeded succeeds", "failure failed fails unsuccessful"],
    &["enable enabled enables on", "disable disabled disables off"],
    &["public öffentlich publique", "private privat privé"],
    &["paid kostenpflichtig payant", "free kostenlos gratuit gratis gratuito"],
    &["add adds added", "remove removes removed delete deletes deleted"],
    &[
        "daily täglich",
        "weekly wöchentlich",
        "monthly monatlich",
        "yearly annually annual jährlich",
        "hourly",
        "quarterly",
    ],
    &["inhale enter enters arrive arrives arrival", "exhale leave leaves depart departs departure exit"],
    &["positive", "negative"],
    &["employer", "employee"],
    &["landlord vermieter lender seller", "tenant mieter borrower buyer"],
];

/// Whether no word of the claim has its opposite, and not itself, in the window.
pub fn agree(claim: &[Word], window: &[Word]) -> bool {
    claim.iter().enumerate().all(|(at, word)| {
        EXCLUSIVE.iter().all(|groups| {
            let Some(own) = groups.iter().position(|group| has(group, &word.text)) else { return true };
            let places = |mine: bool| {
                let of = |other: &Word| groups.iter().position(|group| has(group, &other.text));
                let said = |other: &Word| claim.iter().any(|word| word.text == other.text);
                let right = |place: &usize| {
                    of(&window[*place]).is_some_and(|group| (group == own) == mine && (mine || !said(&window[*place])))
                };
                (0..window.len()).filter(right).collect::<Vec<_>>()
            };
            let (same, rivals) = (places(true), places(false));
            rivals.is_empty() || !same.is_empty() && closer(&same, &rivals, &beside(claim, at), window)
        })
    })
}

/// English, German, French, Spanish.
const NEGATIONS: &str = "not no never without cannot nor none neither nobody nothing isn aren wasn weren doesn don didn won can't hasn haven unable \
    nicht kein keine keinen keiner keinem keines nie niemals ohne niemand nichts pas jamais sans aucun aucune ni nunca sin ninguno ninguna jamás nadie tampoco";

/// A number in German is no negation, and neither is the Spanish `no` that begins "no. 5".
fn negates(word: &Word) -> bool {
    has(NEGATIONS, &word.text)
}

/// Whether clauses of claim and window that share their words are both negated, or neither is.
pub fn same_sign(claim: &[Word], window: &[Word]) -> bool {
    let negated = |words: &[&[Word]], other: &[Word]| {
        words
            .iter()
            .filter(|clause| concerns(clause, other))
            .any(|clause| clause.iter().filter(|word| negates(word)).count() % 2 == 1)
    };
    negated(&clauses(claim), window) == negated(&clauses(window), claim)
}

fn concerns(clause: &[Word], other: &[Word]) -> bool {
    let telling = telling(clause);
    let shared = telling.iter().filter(|word| other.iter().any(|other| other.is_kin(word))).count();
    !telling.is_empty() && shared as f64 >= telling.len() as f64 * CLAUSE_OVERLAP
}

/// Marks that turn agent and object around.
const PASSIVE: &str = "by von vom durch par por";

/// Prepositions that join a circumstance, which stands before or behind a statement alike.
const PLACING: &str = "in on at with for of during im am an mit für dans à en pour de con para";

/// Whether no two words changed sides around a third: "A bought B" is not "B bought A", unless one of them is passive.
pub fn same_order(claim: &[Word], window: &[Word]) -> bool {
    let (said, stands) = (around(claim), around(window));
    said.iter().all(|here| {
        let same: Vec<&Around> = stands.iter().filter(|there| there.middle.is_kin(here.middle)).collect();
        let pairs = here.left.iter().flat_map(|left| here.right.iter().map(move |right| (*left, *right)));
        pairs.into_iter().all(|(left, right)| {
            let has = |words: &[&Word], word: &Word| words.iter().any(|other| other.is_kin(word));
            let (mut fits, mut turned) = (false, false);
            for there in &same {
                let straight = has(&there.left, left) && has(&there.right, right);
                let crossed = has(&there.left, right) && has(&there.right, left);
                let passive = here.passive != there.passive;
                fits |= if passive { crossed } else { straight };
                turned |= if passive { straight } else { crossed };
            }
            fits || !turned
        })
    })
}

/// A word with the two telling ones on each side of it.
struct Around<'a> {
    left: Vec<&'a Word>,
    middle: &'a Word,
    right: Vec<&'a Word>,
    passive: bool,
}

fn around(words: &[Word]) -> Vec<Around<'_>> {
    let plain = |word: &&Word| word.token == Token::Plain;
    let middles = (0..words.len()).filter(|at| words[*at].token == Token::Plain && !words[*at].named);
    let of = |at: usize| {
        let left =
            words[..at].iter().rev().take_while(|word| !has(PLACING, &word.text)).filter(plain).take(2).collect();
        let right = words[at + 1..].iter().take_while(|word| !has(PLACING, &word.text)).filter(plain).take(2).collect();
        let next = words[at + 1..].iter().take(2);
        Around { left, middle: &words[at], right, passive: next.clone().any(|word| has(PASSIVE, &word.text)) }
    };
    middles.map(of).collect()
}

/// Where something comes from and where it goes to.
const ENDS: [(&str, &str); 4] =
    [("from since", "to until"), ("von aus", "nach bis"), ("de desde", "à jusqu"), ("del de", "a hasta")];

/// Whether no way leads back: "from A to B" is not "from B to A".
pub fn same_way(claim: &[Word], window: &[Word]) -> bool {
    let behind = |words: &[Word], names: &str| -> Vec<Word> {
        let places = words.iter().enumerate().filter(|(_, word)| has(names, &word.text)).map(|(at, _)| at);
        places.filter_map(|at| words[at..].iter().find(|word| word.tells()).cloned()).collect()
    };
    let meets = |some: &[Word], others: &[Word]| some.iter().any(|word| others.iter().any(|other| word.is_kin(other)));
    ENDS.iter().all(|(from, to)| {
        let (start, end) = (behind(claim, from), behind(claim, to));
        let (source, target) = (behind(window, from), behind(window, to));
        !(meets(&start, &target) && meets(&end, &source)) || meets(&start, &source) && meets(&end, &target)
    })
}

/// Words after which a thing is named.
const BEFORE_THINGS: &str = "the a an of in at from to for by with on and der die das den dem des ein eine einen im am in von für und aus le la les un une du des de en au à dans el los las un una del de en al por para con";

/// Whether no word stands in the place that another has in the source, between the same neighbours.
pub fn same_slots(claim: &[Word], window: &[Word]) -> bool {
    let missing =
        |word: &Word, words: &[Word]| word.token == Token::Plain && !words.iter().any(|other| other.is_kin(word));
    (0..claim.len()).filter(|at| missing(&claim[*at], window)).all(|at| {
        !(0..window.len()).any(|place| missing(&window[place], claim) && same_place(claim, at, window, place))
    })
}

fn same_place(claim: &[Word], at: usize, window: &[Word], place: usize) -> bool {
    let neighbour = |words: &[Word], at: usize, by: isize| {
        at.checked_add_signed(by).and_then(|at| words.get(at)).map(|word| word.text.clone())
    };
    let (before, after) = (neighbour(claim, at, -1), neighbour(claim, at, 1));
    let same_before = before == neighbour(window, place, -1);
    let same_after = after == neighbour(window, place, 1);
    let counted = at.checked_sub(1).is_some_and(|before| claim[before].number().is_some());
    let thing = counted || before.as_deref().is_none_or(|before| has(BEFORE_THINGS, before));
    same_before && same_after && (thing || claim[at].named)
}
