// A bot's settings beside the widget itself, which shows every change as it is typed. Saving sends what was changed and nothing else.
import { announce, el } from "./dom.mjs";
import { preview } from "./bot-preview.mjs";
import { field, showProblem } from "./fields.mjs";
import { button, failure } from "./parts.mjs";

const CORNERS = [["bottom-right", "Bottom right"], ["bottom-left", "Bottom left"], ["top-right", "Top right"], ["top-left", "Top left"]];
const THEMES = [["auto", "As the visitor's system"], ["light", "Light"], ["dark", "Dark"]];

/** Groups of fields: name as the server knows it, label, and what fields.mjs takes. */
const GROUPS = [
  ["What visitors see", [
    ["name", "Name", { most: 200 }],
    ["greeting", "Greeting", { kind: "text", most: 1000, rows: 2 }],
    ["suggestions", "Questions to begin with", { kind: "lines", most: 200, hint: "One a line, at most 8." }],
    ["widget.color", "Colour", { kind: "line", dir: "ltr", placeholder: "#0b6b5d", hint: "Six digits after #. Text on it becomes dark or light, whichever can be read." }],
    ["widget.theme", "Theme", { kind: "choice", options: THEMES }],
    ["widget.position", "Corner of the page", { kind: "choice", options: CORNERS }],
    ["widget.title", "Title of the window", { most: 80, hint: "Empty: the bot's name." }],
    ["widget.placeholder", "Words in the empty field", { most: 120 }],
    ["widget.launcher", "Words on the button", { most: 40, hint: "Empty: a picture alone." }],
  ]],
  ["How it answers", [
    ["instructions", "Instructions", { kind: "text", most: 20_000, rows: 5, hint: "What a model is told beside the passages. A bot that quotes has no use for them." }],
    ["tone", "Tone", { most: 200, hint: "A few words on one line, such as: warm and brief." }],
    ["language", "Language", { dir: "ltr", hint: "auto: that of the question. Or a tag such as de or pt-BR." }],
    ["refusal", "What it says when it does not know", { kind: "text", most: 2000, rows: 2 }],
    ["historyLength", "Earlier messages that it remembers", { kind: "number", hint: "0 to 50." }],
    ["resumable", "Answers go on when a visitor reloads the page", { kind: "switch" }],
  ]],
  ["Who answers", [
    ["provider", "Provider", { dir: "ltr", list: "bot-providers", hint: "extractive quotes the documents, without any model. Others need a key." }],
    ["model", "Model", { dir: "ltr", most: 200 }],
    ["temperature", "Temperature", { kind: "number", hint: "0 to 2. Empty: the model's own." }],
    ["fallbackProvider", "Provider to fall back on", { dir: "ltr", list: "bot-providers", hint: "Answers when the first cannot begin. Empty: nobody." }],
    ["fallbackModel", "Its model", { dir: "ltr", most: 200 }],
  ]],
];
/** So long the word stands there that it is saved. */
const SAVED_MS = 4000;
const NUMBERS = ["historyLength", "temperature"];

export function botForm(api, bot, changed) {
  let saved = bot;
  const groups = GROUPS.map(([title, list]) => [title, list.map(([name, label, options]) => field(name, label, options))]);
  const fields = groups.flatMap(([, list]) => list);
  const shelves = collections(api);
  const place = el("div");
  const state = el("p", { class: "muted", role: "status" });
  const save = el("button", { type: "submit", class: "primary" }, "Save");
  const discard = el("button", { type: "button", class: "plain" }, "Discard");
  const bar = el("div", { class: "save-bar", hidden: true }, state, button("Preview", () => window.see(), "plain to-preview"), discard, save);
  const providers = el("datalist", { id: "bot-providers" }, el("option", { value: "extractive" }));
  const form = el("form", { class: "settings", novalidate: true, "aria-label": "Settings" }, providers,
    ...groups.map(([title, list], at) => el("fieldset", { class: "group" }, el("legend", {}, title), ...list.map((one) => one.element), at === 2 && shelves.element)),
    place, bar);
  const window = preview(api, bot.id);
  const element = el("div", { class: "beside" }, form, window.element);
  swatch(fields.find(({ name }) => name === "widget.color"));

  const write = () => {
    for (const one of fields) one.write(at(saved, one.name));
    shelves.write(saved.collections);
    drawn();
  };
  const change = () => difference(saved, [...fields, shelves]);
  const drawn = () => {
    const dirty = Object.keys(change()).length > 0;
    save.disabled = discard.disabled = !dirty;
    state.textContent = dirty ? "Not saved yet" : "";
    bar.hidden = !dirty;
    window.show(draft(saved, fields));
  };
  form.addEventListener("input", drawn);
  form.addEventListener("change", drawn);
  discard.addEventListener("click", () => (place.replaceChildren(), write()));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = fields.find((one) => NUMBERS.includes(one.name) && (typeof one.read() === "string" || (one.name === "historyLength" && one.read() === null)));
    if (wrong) return wrong.fail("Write a number."), wrong.control.focus();
    save.disabled = true;
    place.replaceChildren();
    try {
      saved = await api.json(`/api/bots/${encodeURIComponent(bot.id)}`, { method: "PATCH", json: change() });
      changed(saved);
      write();
      announce("Saved.");
      state.textContent = "Saved";
      bar.hidden = false;
      setTimeout(() => state.textContent === "Saved" && (bar.hidden = true), SAVED_MS);
    } catch (error) {
      save.disabled = false;
      showProblem(error, [...fields, shelves], place, () => form.requestSubmit());
    }
  });
  write();
  shelves.load(saved.collections).then(drawn, (error) => place.replaceChildren(failure(error)));
  names(api, providers);
  return { element, unsaved: () => Object.keys(change()).length > 0 };
}

/** `widget.color` of a bot. */
function at(bot, name) {
  return name.split(".").reduce((value, part) => value?.[part], bot);
}

/** What the fields say otherwise than the saved bot, in the shape that the server takes. */
function difference(saved, fields) {
  const change = {};
  for (const one of fields) {
    const value = one.name === "widget.color" ? one.read().trim() || null : one.read();
    if (value === undefined || JSON.stringify(value) === JSON.stringify(at(saved, one.name) ?? null)) continue;
    const [outer, inner] = one.name.split(".");
    if (inner) change[outer] = { ...change[outer], [inner]: value };
    else change[outer] = value;
  }
  return change;
}

/** The bot as it would be shown: what cannot be shown yet, such as half a colour, the widget leaves out by itself. */
function draft(saved, fields) {
  const shown = { ...saved, widget: { ...saved.widget } };
  for (const one of fields) {
    const [outer, inner] = one.name.split(".");
    if (inner) shown[outer][inner] = one.read();
    else shown[outer] = one.read();
  }
  const { name, language, greeting, suggestions, widget } = shown;
  return { bot: saved.id, name, language, greeting, suggestions, widget };
}

/** A colour can be picked as well as typed. */
function swatch({ control, element }) {
  const pick = el("input", { type: "color", class: "swatch", "aria-label": "Pick a colour", value: "#0b6b5d" });
  const line = el("div", { class: "swatch-line" });
  control.replaceWith(line);
  line.append(pick, control);
  pick.addEventListener("input", () => {
    control.value = pick.value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
  });
  element.addEventListener("input", () => /^#[0-9a-f]{6}$/i.test(control.value) && (pick.value = control.value.toLowerCase()));
}

/** Which of the tenant's shelves the bot looks into. */
function collections(api) {
  const list = el("div");
  const problem = el("p", { class: "problem" });
  const element = el("fieldset", { class: "field", "data-field": "collections" }, el("legend", {}, "Collections that it looks into"), list, problem);
  const boxes = () => [...list.querySelectorAll("input")];
  const load = async (chosen) => {
    const found = (await api.json("/api/collections")).collections;
    list.replaceChildren(...found.map(({ id, name, documents }) => el("label", { class: "check-line" }, el("input", { type: "checkbox", value: id, checked: chosen.includes(id) }), el("span", { dir: "auto" }, name), el("span", { class: "muted small" }, `${documents} documents`))));
  };
  // Before they are known nothing was changed.
  const read = () => (boxes().length ? boxes().filter((box) => box.checked).map((box) => box.value).toSorted() : undefined);
  const write = (chosen) => boxes().forEach((box) => (box.checked = chosen.includes(box.value)));
  list.addEventListener("change", () => (problem.textContent = ""));
  return { name: "collections", element, control: list, load, read, write, fail: (sentence) => (problem.textContent = sentence) };
}

/** Providers that have a key; who may not see keys types the name. */
async function names(api, datalist) {
  const { keys } = await api.json("/api/keys").catch(() => ({ keys: [] }));
  datalist.append(...keys.map(({ provider }) => el("option", { value: provider })));
}
