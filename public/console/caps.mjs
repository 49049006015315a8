// The caps: what may be spent in a day by everybody, by each token, by each visitor, and by single tokens.
import { announce, el, plain } from "./dom.mjs";
import { field, showProblem } from "./fields.mjs";
import { failure } from "./parts.mjs";

const FIXED = [["tenant", "Everybody together"], ["token", "Each token"], ["visitor", "Each visitor"]];
const MONEY = /^\d{1,7}(\.\d{1,6})?$/;

export function capsForm(api, saved) {
  let caps = {};
  let singles = [];
  const fixed = FIXED.map(([subject, label]) => amount(subject, label));
  const more = el("div", { class: "stack" });
  const another = field("another", "One token by itself", { kind: "choice" });
  let names = new Map();
  const place = el("div");
  const state = el("p", { class: "muted", role: "status" });
  const submit = el("button", { type: "submit", class: "primary" }, "Save the caps");
  const element = el("form", { class: "panel", novalidate: true, "aria-label": "Caps" }, el("h3", {}, "Caps"),
    el("p", { class: "muted" }, "Dollars a day (UTC). A question that could pass a cap is refused before anything is spent. Empty: no cap."),
    ...fixed.map((one) => one.element), more, another.element, place, el("div", { class: "item-actions" }, submit, state));
  const all = () => [...fixed, ...singles];
  // What is saved replaces all caps: nobody may save before they are known.
  let known = false;
  const close = (closed) => [...fixed.map((one) => one.control), another.control, submit].forEach((control) => (control.disabled = closed));
  close(true);
  const changed = () => all().some((one) => one.read().trim() !== (caps[one.name] ?? ""));
  const write = (answer) => {
    caps = answer.caps;
    singles = Object.keys(caps).filter((subject) => subject.startsWith("token:")).map(single);
    arrange();
    for (const one of all()) one.write(caps[one.name] ?? "");
    known = true;
    close(false);
  };
  const single = (subject) => amount(subject, plain(names.get(subject.slice(6)) ?? subject.slice(6)));
  const arrange = () => {
    more.replaceChildren(...singles.map((one) => one.element));
    const free = [...names].filter(([id]) => !singles.some((one) => one.name === `token:${id}`));
    another.control.replaceChildren(el("option", { value: "" }, "Choose a token"), ...free.map(([id, name]) => el("option", { value: id }, plain(name))));
    another.element.hidden = free.length === 0;
  };
  another.control.addEventListener("change", () => {
    const id = another.read();
    if (!id) return;
    singles.push(single(`token:${id}`));
    arrange();
    singles.at(-1).control.focus();
  });
  const load = async () => {
    if (known && changed()) return;
    try {
      names = new Map((await api.json("/api/tokens")).tokens.map(({ id, name }) => [id, name]));
      write(await api.json("/api/usage/caps"));
      place.replaceChildren();
    } catch (error) {
      place.replaceChildren(failure(error, load));
    }
  };
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    // The server takes the caps as one list and names none of them in a refusal.
    const wrong = all().find((one) => one.read().trim() && !MONEY.test(one.read().trim()));
    if (wrong) return wrong.fail("Write an amount of dollars, such as 5 or 0.05, with at most 6 decimals."), wrong.control.focus();
    submit.disabled = true;
    place.replaceChildren();
    const asked = Object.fromEntries(all().map((one) => [one.name, one.read().trim()]).filter(([, value]) => value));
    try {
      write(await api.json("/api/usage/caps", { method: "PUT", json: { caps: asked } }));
      state.textContent = "Saved";
      announce("The caps are saved.");
      saved();
    } catch (error) {
      showProblem(error, all(), place, () => element.requestSubmit());
    } finally {
      submit.disabled = false;
    }
  });
  element.addEventListener("input", () => (state.textContent = ""));
  return { element, load, unsaved: changed };
}

function amount(subject, label) {
  return field(subject, label, { dir: "ltr", inputmode: "decimal", placeholder: "no cap" });
}
