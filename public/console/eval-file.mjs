// Reads what `docent eval --json` prints: JSON Lines, one object for each set and configuration. Tables that it prints between them are passed over.
import { Problem } from "./api.mjs";

/** A file of results has some kilobytes; a larger one is something else. */
const MOST_CHARACTERS = 4_000_000;
const NUMBERS = ["ndcg10", "recall10", "mrr", "citationPrecision", "refusalAccuracy", "p50Ms", "p95Ms"];

/** `{name, lines}`; throws a Problem for a file that holds no results. */
export function runOf(name, text) {
  if (text.length > MOST_CHARACTERS) throw wrong(`${name} is too large to be results`);
  const lines = values(text).filter((value) => value && typeof value.set === "string" && typeof value.configuration === "string").map(line);
  if (!lines.length) throw wrong(`${name} holds no results of docent eval`);
  return { name, lines };
}

function wrong(detail) {
  return new Problem({ code: "no_results", detail, hint: "Write them with docent eval … --json > run.jsonl and open that file" });
}

/** One JSON value a line, or a whole array of them. */
function values(text) {
  const whole = parsed(text);
  if (Array.isArray(whole)) return whole;
  return text.split("\n").map(parsed);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function line(value) {
  const number = (found) => (typeof found === "number" && Number.isFinite(found) ? found : null);
  return { set: value.set, configuration: value.configuration, questions: number(value.questions) ?? 0, ...Object.fromEntries(NUMBERS.map((name) => [name, number(value[name])])) };
}
