// The interface in twelve languages. What the bot says and its owner writes is shown as it is.
import ar from "./texts/ar.json";
import de from "./texts/de.json";
import el from "./texts/el.json";
import en from "./texts/en.json";
import es from "./texts/es.json";
import hi from "./texts/hi.json";
import ro from "./texts/ro.json";
import ru from "./texts/ru.json";
import th from "./texts/th.json";
import tr from "./texts/tr.json";
import vi from "./texts/vi.json";
import zh from "./texts/zh.json";

const LANGUAGES = { ar, de, el, en, es, hi, ro, ru, th, tr, vi, zh };
const RIGHT_TO_LEFT = new Set(["ar"]);

/** The first of `wishes` (BCP 47 tags, most wanted first) that the widget speaks, or English. */
export function language(wishes) {
  const known = wishes.filter(Boolean).map((tag) => String(tag).toLowerCase().split(/[-_]/)[0]);
  return known.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

/** `t(key, values)` gives a text with its `{names}` filled in; `t.seconds(n)` a time as the language says it. */
export function speak(tag) {
  const texts = LANGUAGES[tag];
  const t = (key, values = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? values[name].toLocaleString(tag) : values[name]));
  const unit = (name) => new Intl.NumberFormat(tag, { style: "unit", unit: name, unitDisplay: "long" });
  t.seconds = (seconds) => (seconds > 90 ? unit("minute").format(Math.ceil(seconds / 60)) : unit("second").format(seconds));
  t.language = tag;
  t.direction = RIGHT_TO_LEFT.has(tag) ? "rtl" : "ltr";
  return t;
}
