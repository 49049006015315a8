// What `docent eval --json` measured, as tables and plots, and two runs beside each other. The files are read in this browser and sent nowhere.
import { announce, el, icon } from "./dom.mjs";
import { bars, legend } from "./chart.mjs";
import { runOf } from "./eval-file.mjs";
import { button, empty, failure, pageHead, table } from "./parts.mjs";

const QUALITY = [["recall10", "recall@10"], ["ndcg10", "nDCG@10"], ["mrr", "MRR"]];
const SHARES = [...QUALITY, ["citationPrecision", "Citations"], ["refusalAccuracy", "Refusals"]];
const share = (value) => (value === null ? "–" : value.toFixed(3));
const time = (value) => (value === null ? "–" : value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 }));

export function open() {
  const runs = [];
  const results = el("div", { class: "stack" });
  const place = el("div");
  const input = el("input", { type: "file", multiple: true, hidden: true, accept: ".json,.jsonl,.ndjson,.txt", "aria-label": "Results of docent eval" });
  const drop = el("button", { type: "button", class: "drop wide", onclick: () => input.click() }, el("span", { class: "drop-icon", "aria-hidden": "true" }, icon("upload")), el("span", { class: "drop-text" }, el("strong", {}, "Open results"), el("span", { class: "muted" }, "Drop one file of docent eval --json here, or two to compare; or press to choose")));
  const element = el("div", {}, pageHead("Evaluation", "How good retrieval is, measured. A file is read in this browser and sent nowhere."), el("div", { class: "stack" }, drop, input, place, results));

  const take = async (files) => {
    place.replaceChildren();
    for (const file of files) {
      try {
        runs.push(runOf(file.name, await file.text()));
      } catch (error) {
        place.append(failure(error));
      }
    }
    // The two that came last are compared.
    runs.splice(0, Math.max(0, runs.length - 2));
    draw();
    if (runs.length) announce(`Shown: ${runs.map((run) => run.name).join(" and ")}`);
  };
  const draw = () => results.replaceChildren(...(runs.length ? shown(runs, () => (runs.splice(0), draw(), drop.focus())) : [start()]));
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    take(files);
  });
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    take([...(event.dataTransfer?.files ?? [])]);
  });
  draw();
  return { element, show() {} };
}

function start() {
  const command = "docent eval --golden questions.jsonl --documents docs --json > run.jsonl";
  return el("div", {}, empty("Measure first, then open the file", "Write down questions whose answers you know, one a line, and let Docent ask them. Or measure a running system with --url and --token in place of --documents."),
    el("pre", { tabindex: "0", dir: "ltr", "aria-label": "The command" }, el("code", {}, command)),
    el("p", { class: "muted small" }, "A line of questions.jsonl: ", el("code", { dir: "ltr" }, '{"question": "Who signs the log?", "expected": [{"document": "handbook.pdf", "quote": "signs the log"}]}')));
}

function shown(runs, clear) {
  const sets = [...new Set(runs.flatMap((run) => run.lines.map((line) => line.set)))];
  return [
    el("div", { class: "item-actions" }, el("p", { class: "muted", dir: "auto" }, runs.map((run) => run.name).join(" against ")), el("span", { class: "spring" }), button("Clear", clear)),
    runs.length === 2 && differences(runs),
    ...sets.map((set) => oneSet(set, runs)),
    el("section", { class: "panel" }, el("h3", {}, "All numbers"), table("All numbers", ["Set", "Configuration", runs.length > 1 && "Run", { number: "Questions" }, ...SHARES.map(([, name]) => ({ number: name })), { number: "p50 ms" }, { number: "p95 ms" }].filter(Boolean),
      runs.flatMap((run) => run.lines.map((line) => [line.set, line.configuration, ...(runs.length > 1 ? [run.name] : []), String(line.questions), ...SHARES.map(([key]) => share(line[key])), time(line.p50Ms), time(line.p95Ms)])))),
  ].filter(Boolean);
}

/** Colours that can be told apart. */
const MOST_SERIES = 6;

/** Bars of one set: every configuration of every run has its own colour. */
function oneSet(set, runs) {
  const all = runs.flatMap((run) => run.lines.filter((line) => line.set === set).map((line) => ({ ...line, name: runs.length > 1 ? `${line.configuration} (${run.name})` : line.configuration })));
  const lines = all.slice(0, MOST_SERIES);
  const series = lines.map((line) => line.name);
  const quality = QUALITY.map(([key, label]) => ({ label, values: lines.map((line) => line[key]) }));
  const timed = lines.some((line) => line.p50Ms !== null || line.p95Ms !== null);
  const latency = [["p50Ms", "p50"], ["p95Ms", "p95"]].map(([key, label]) => ({ label, values: lines.map((line) => line[key]) }));
  return el("section", { class: "panel", "aria-label": set }, el("h3", { dir: "auto" }, set),
    el("div", { class: "plots" },
      el("figure", {}, el("figcaption", { class: "muted" }, "Quality, 0 to 1"), bars({ title: `Quality on ${set}`, groups: quality, series, format: (value) => value.toFixed(2), most: 1, wide: 500 })),
      timed && el("figure", {}, el("figcaption", { class: "muted" }, "Time of a question, milliseconds"), bars({ title: `Time on ${set}`, groups: latency, series, format: time, wide: 500 }))),
    legend(series), all.length > lines.length && el("p", { class: "muted small" }, `The first ${MOST_SERIES} of ${all.length} are drawn; the table has all.`));
}

function differences([first, second]) {
  const key = (line) => `${line.set}\n${line.configuration}`;
  const pairs = first.lines.map((line) => [line, second.lines.find((other) => key(other) === key(line))]).filter(([, other]) => other);
  if (!pairs.length) return el("p", { class: "notice" }, icon("alert"), el("span", {}, "The two runs have no set and configuration in common, so there is no difference to tell. Both are shown below."));
  const difference = (one, other, digits) => {
    if (one === null || other === null) return "–";
    const by = other - one;
    if (Math.abs(by) < 0.0005) return el("span", { class: "muted" }, "0");
    return `${by >= 0 ? "+" : "−"}${Math.abs(by).toFixed(digits)}`;
  };
  return el("section", { class: "panel" }, el("h3", { dir: "auto" }, `${second.name} against ${first.name}`), el("p", { class: "muted" }, "More is better for shares, less for time."),
    table("Differences", ["Set", "Configuration", ...SHARES.map(([, name]) => ({ number: name })), { number: "p50 ms" }, { number: "p95 ms" }],
      pairs.map(([one, other]) => [one.set, one.configuration, ...SHARES.map(([name]) => difference(one[name], other[name], 3)), difference(one.p50Ms, other.p50Ms, 1), difference(one.p95Ms, other.p95Ms, 1)])));
}
