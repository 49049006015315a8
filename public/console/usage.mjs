// Usage: what the last days cost and took, as a picture and as a table, how far today's caps are used up, and the caps themselves.
import { el } from "./dom.mjs";
import { capsForm } from "./caps.mjs";
import { bars, legend } from "./chart.mjs";
import { field } from "./fields.mjs";
import { badge, empty, fill, pageHead, table } from "./parts.mjs";

const MEASURES = {
  cost: ["Cost", ({ costUsd }) => Number(costUsd), dollars],
  requests: ["Requests", ({ requests }) => requests, whole],
  tokens: ["Tokens", ({ inputTokens, outputTokens }) => inputTokens + outputTokens, whole],
};
const SUBJECTS = { tenant: "Everybody together" };
/** More colours than these cannot be told apart. */
const MOST_SERIES = 5;
const DAY_MS = 86_400_000;

export function open({ api }) {
  const measure = field("measure", "Show", { kind: "choice", options: Object.entries(MEASURES).map(([name, [words]]) => [name, words]) });
  const place = el("div", { class: "stack" });
  const caps = capsForm(api, () => load());
  let found = null;
  const draw = () => (found.usage.length ? chartOf(found, measure.read()) : [empty("Nothing was spent yet", "Questions that a model answers, and documents that a provider embeds, are counted here from the first one on. Quoting answers cost nothing.")]);
  const today = el("section", { class: "panel", "aria-label": "Today" });
  const load = () => fill(place, () => api.json("/api/usage"), (answer) => {
    found = answer;
    today.replaceChildren(...purses(answer.today));
    return draw();
  });
  measure.control.addEventListener("change", () => found && place.replaceChildren(...draw().filter(Boolean)));
  const element = el("div", {}, pageHead("Usage", "What the last 30 days took, by day in UTC. Amounts are in US dollars, by the price table named below."),
    el("div", { class: "columns" }, el("section", { class: "stack", "aria-label": "The last 30 days" }, measure.element, place), el("div", { class: "stack" }, today, caps.element)));
  return { element, show: () => (load(), caps.load()), unsaved: caps.unsaved };
}

function chartOf({ usage, days, prices }, measure) {
  const [name, value, format] = MEASURES[measure];
  const models = [...new Map(usage.map((line) => [modelOf(line), 0])).keys()];
  const total = (model) => usage.filter((line) => modelOf(line) === model).reduce((sum, line) => sum + value(line), 0);
  const ranked = models.toSorted((one, other) => total(other) - total(one));
  const series = ranked.length > MOST_SERIES ? [...ranked.slice(0, MOST_SERIES), "others"] : ranked;
  const place = (line) => Math.min(ranked.indexOf(modelOf(line)), MOST_SERIES);
  const groups = lastDays(days).map((day) => {
    const values = series.map(() => 0);
    for (const line of usage) if (line.day === day) values[place(line)] += value(line);
    return { label: day.slice(5), values };
  });
  const all = usage.reduce((sum, line) => sum + value(line), 0);
  const rows = usage.map((line) => [line.day, line.kind, modelOf(line), line.paidBy === "operator" ? "the operator" : "your key", whole(line.requests), whole(line.inputTokens), whole(line.outputTokens), [dollars(Number(line.costUsd)), line.estimated && " (estimate)"].filter(Boolean)]);
  return [
    el("figure", { class: "panel" }, el("figcaption", { class: "field-head" }, el("h3", {}, `${name} by day`), el("strong", {}, `${format(all)} in all`)), bars({ title: `${name} by day`, groups, series, format, stacked: true }), legend(series)),
    el("details", { class: "numbers" }, el("summary", {}, "As a table"), table(`${name} of the last days`, ["Day", "Kind", "Model", "Paid by", { number: "Requests" }, { number: "Input tokens" }, { number: "Output tokens" }, { number: "Cost" }], rows)),
    el("p", { class: "muted small" }, `Prices of ${prices}. An estimate is a cost whose tokens or price the provider did not tell.`),
  ];
}

const modelOf = ({ provider, model }) => (model ? `${provider} ${model}` : provider);

/** Days without any spending have their place as well. */
function lastDays(count) {
  const today = Date.now();
  return Array.from({ length: count }, (_, at) => new Date(today - (count - 1 - at) * DAY_MS).toISOString().slice(0, 10));
}

function purses(today) {
  const head = el("h3", {}, "Today");
  if (!today.length) return [head, el("p", { class: "muted" }, "No cap has bound anybody today.")];
  return [head, ...today.map(({ subject, paidBy, spentUsd, reservedUsd, capUsd, leftUsd }) => {
    const cap = capUsd === null ? null : Number(capUsd);
    const used = Number(spentUsd) + Number(reservedUsd);
    const label = `${SUBJECTS[subject] ?? subject}, paid by ${paidBy === "operator" ? "the operator" : "your key"}`;
    const bar = cap !== null && el("meter", { min: 0, max: Math.max(cap, 0.000001), value: Math.min(used, cap), high: cap * 0.8, optimum: 0, "aria-label": `${label}: ${dollars(used)} of ${dollars(cap)}` });
    return el("div", { class: "purse" }, el("div", { class: "field-head" }, el("span", { dir: "auto" }, label), leftUsd !== null && Number(leftUsd) === 0 && badge("Used up", "bad")), bar, el("p", { class: "muted small" }, `${dollars(Number(spentUsd))} spent, ${dollars(Number(reservedUsd))} reserved${cap === null ? ", no cap now" : ` of ${dollars(cap)}`}`));
  })];
}

function dollars(amount) {
  const digits = amount !== 0 && Math.abs(amount) < 0.01 ? 6 : 2;
  return `$${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

function whole(count) {
  return Math.round(count * 100) / 100 >= 1000 ? count.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 }) : String(Math.round(count * 100) / 100);
}

