// A form's fields: a label, what it means, a count where there is a limit, and the server's own words beside the field that they are about.
import { Problem } from "./api.mjs";
import { el, newId } from "./dom.mjs";
import { failure } from "./parts.mjs";

/**
 * One field. `read()` answers its value, `write(value)` sets it, `fail(sentence)` shows what is wrong.
 * Kinds: "line", "text" (several lines), "lines" (one value a line), "number", "choice", "switch", "color".
 */
export function field(name, label, { kind = "line", hint = "", most = 0, options = [], ...attributes } = {}) {
  const id = newId("field_");
  const control = controls(kind, { id, ...attributes }, options);
  const count = el("span", { class: "field-count" });
  const problem = el("p", { class: "problem", id: `${id}_problem` });
  const help = hint && el("p", { class: "muted small", id: `${id}_hint` }, hint);
  control.setAttribute("aria-describedby", [help && `${id}_hint`, `${id}_problem`].filter(Boolean).join(" "));
  const head = el("div", { class: "field-head" }, el("label", { for: id }, label), count);
  const element = el("div", { class: `field is-${kind}`, "data-field": name }, ...(kind === "switch" ? [el("div", { class: "switch-line" }, control, head)] : [head, control]), help, problem);
  const made = { name, element, control, read: () => READ[kind](control), write: (value) => (WRITE[kind](control, value), counted()), fail };
  const counted = () => most && (count.textContent = tally(kind, control.value, most), count.classList.toggle("over", over(kind, control.value, most)));
  function fail(sentence) {
    problem.textContent = sentence;
    control.toggleAttribute("aria-invalid", sentence !== "");
    if (sentence) control.setAttribute("aria-invalid", "true");
  }
  control.addEventListener("input", () => (fail(""), counted()));
  counted();
  return made;
}

function controls(kind, attributes, options) {
  if (kind === "text" || kind === "lines") return el("textarea", { rows: "3", dir: "auto", ...attributes });
  if (kind === "choice") return el("select", attributes, ...options.map(([value, words]) => el("option", { value }, words)));
  if (kind === "switch") return el("input", { type: "checkbox", ...attributes });
  if (kind === "number") return el("input", { type: "text", inputmode: "decimal", autocomplete: "off", ...attributes });
  return el("input", { type: "text", dir: "auto", autocomplete: "off", ...attributes });
}

const READ = {
  line: ({ value }) => value,
  text: ({ value }) => value,
  lines: ({ value }) => value.split("\n").map((line) => line.trim()).filter(Boolean),
  // What is no number stays as it was typed, so that the form can say so.
  number: ({ value }) => (value.trim() === "" ? null : Number.isFinite(Number(value.replace(",", "."))) ? Number(value.replace(",", ".")) : value),
  choice: ({ value }) => value,
  switch: ({ checked }) => checked,
};
const plain = (control, value) => (control.value = value ?? "");
const WRITE = { line: plain, text: plain, number: plain, choice: plain, lines: (control, value) => (control.value = (value ?? []).join("\n")), switch: (control, value) => (control.checked = Boolean(value)) };

/** Characters as the server counts them. */
const characters = (text) => [...text].length;
const longest = (kind, value) => (kind === "lines" ? Math.max(0, ...value.split("\n").map(characters)) : characters(value));

function over(kind, value, most) {
  return longest(kind, value) > most;
}

function tally(kind, value, most) {
  const length = longest(kind, value);
  return length > most * 0.8 ? `${length.toLocaleString("en")} of ${most.toLocaleString("en")}` : "";
}

/** Shows a refusal beside the field that it names, or else in `place`, with a way to try again. */
export function showProblem(error, fields, place, retry) {
  const problem = Problem.of(error);
  const named = fieldNamed(problem.detail ?? "", fields);
  if (!named) return place.replaceChildren(failure(problem, retry));
  named.fail(problem.sentence);
  named.control.focus();
}

/** The server names a field in backticks, its JSON reader without them. */
function fieldNamed(detail, fields) {
  const quoted = [...detail.matchAll(/`([\w.]+)`/g)].map((found) => found[1]);
  const first = quoted.map((name) => fields.find((one) => one.name === name)).find(Boolean);
  return first ?? fields.find((one) => new RegExp(`(^|[\\s.])${one.name.replace(".", "\\.")}:`).test(detail));
}
