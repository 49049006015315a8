// What the console's pages are made of: heads, notices, empty states, tables, questions before something is lost.
import { Problem } from "./api.mjs";
import { announce, el, icon } from "./dom.mjs";
import { retryButton } from "./retry.mjs";

export function pageHead(title, lead, ...actions) {
  return el("header", { class: "page-head" },
    el("div", {}, el("h2", { tabindex: "-1", dir: "auto" }, title), lead && el("p", { class: "muted" }, lead)),
    actions.length > 0 && el("div", { class: "page-actions" }, ...actions));
}

/** A failure as a sentence with its next step; `retry` is offered when there is one. */
export function failure(error, retry) {
  const problem = Problem.of(error);
  const facts = [problem.code, problem.requestId && `request ${problem.requestId}`].filter(Boolean).join(" · ");
  return el("div", { class: "notice bad", role: "alert" }, icon("alert"),
    el("div", {}, el("p", { dir: "auto" }, problem.sentence), el("p", { class: "muted small" }, facts)),
    retry && retryButton(problem, retry));
}

export function note(...children) {
  return el("p", { class: "notice" }, icon("alert"), el("span", {}, ...children));
}

/** What a list shows that has nothing in it yet: what it is for, and the first step. */
export function empty(title, text, ...actions) {
  return el("div", { class: "empty" }, el("h3", {}, title), el("p", { class: "muted" }, text), actions.length > 0 && el("div", { class: "actions" }, ...actions));
}

/** Fills `place` with what `load` answers and `draw` makes of it; a failure stands there instead, with a way to try again. */
export async function fill(place, load, draw) {
  // Of two loads under way the one that began last has the place, whichever ends first.
  const turn = (place.turn = {});
  place.setAttribute("aria-busy", "true");
  if (!place.firstChild) place.append(el("p", { class: "muted loading" }, "Loading…"));
  try {
    const found = await load();
    if (place.turn !== turn) return;
    place.replaceChildren(...[draw(found)].flat().filter(Boolean));
  } catch (error) {
    if (error.name === "AbortError" || place.turn !== turn) return;
    place.replaceChildren(failure(error, () => {
      place.replaceChildren();
      fill(place, load, draw);
    }));
  } finally {
    if (place.turn === turn) place.removeAttribute("aria-busy");
  }
}

/** Runs `work` while the button is not to be pressed again; a failure stands in `place`. Answers whether it went well. */
export async function run(button, place, work) {
  const had = document.activeElement === button;
  button.disabled = true;
  place.replaceChildren();
  try {
    await work();
    return true;
  } catch (error) {
    place.replaceChildren(failure(error));
    return false;
  } finally {
    button.disabled = false;
    if (had && button.isConnected && document.activeElement === document.body) button.focus();
  }
}

/** A table that scrolls by itself where the screen is narrower. `heads`: names, those of numbers as `{number: name}`. */
export function table(caption, heads, rows) {
  const numbers = heads.map((head) => typeof head === "object");
  const cell = (value, at) => el(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: numbers[at] ? "figure" : null }, ...[value].flat());
  return el("div", { class: "table", role: "region", "aria-label": caption, tabindex: "0" }, el("table", {},
    el("caption", { class: "hidden" }, caption),
    el("thead", {}, el("tr", {}, ...heads.map((head, at) => el("th", { scope: "col", class: numbers[at] ? "figure" : null }, head.number ?? head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(cell))))));
}

/** A moment in the reader's own way of writing it. */
export function when(text) {
  if (!text) return "";
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text);
  return el("time", { datetime: text, title: at.toLocaleString() }, at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }));
}

export function badge(text, kind = "") {
  return el("span", { class: `badge ${kind}` }, text);
}

export function button(text, onclick, kind = "plain", attributes = {}) {
  return el("button", { type: "button", class: kind, onclick, ...attributes }, text);
}

export function copyButton(text, label = "Copy") {
  const words = el("span", {}, label);
  const made = el("button", { type: "button", class: "plain" }, words);
  made.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      words.textContent = "Copied";
    } catch {
      // Plain http in a private network has no clipboard.
      words.textContent = "Select it and press Ctrl+C";
    }
    announce(words.textContent);
    setTimeout(() => (words.textContent = label), 2500);
  });
  return made;
}

/** Hands text to the reader as a file. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
