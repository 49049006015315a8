// The form that makes a token, and the one showing of what was made. The bot's own page uses it for publishable ones.
import { announce, el } from "./dom.mjs";
import { field, showProblem } from "./fields.mjs";
import { copyButton } from "./parts.mjs";

const SCOPES = [["chat", "Ask questions"], ["read", "Read documents, bots, usage; search"], ["write", "Add and delete documents, change bots"], ["admin", "Provider keys, tokens, caps"]];

/** `bot`: only publishable ones for that bot. `made(token)` is called with what the server answered. */
export function tokenForm(api, { bot = null, made }) {
  const kind = field("publishable", "Kind", { kind: "choice", options: [["secret", "Secret: for your servers"], ["publishable", "Publishable: for your pages"]] });
  const name = field("name", "Name", { most: 200, hint: "What it is for, so that you know later which one to revoke." });
  const scopes = SCOPES.map(([scope, words]) => field(`scope ${scope}`, `${scope}: ${words}`, { kind: "switch" }));
  const group = el("fieldset", { class: "field" }, el("legend", {}, "What it may do"), ...scopes.map((one) => one.element));
  const scopeProblem = el("p", { class: "problem", role: "alert" });
  group.append(scopeProblem);
  const origins = field("origins", "Allowed origins", { kind: "lines", dir: "ltr", spellcheck: "false", placeholder: "https://shop.example", hint: "One a line, as browsers write them: scheme and host, no path. With and without www are two." });
  const whose = field("bot", "Bot", { kind: "choice", options: [["", "The default bot"]] });
  const end = field("expiresAt", "Ends on", { type: "date", hint: "Empty: it does not end by itself." });
  const place = el("div");
  const shown = el("div");
  const submit = el("button", { type: "submit", class: "primary" }, "Make the token");
  const fields = [name, origins, whose, end];
  const parts = bot ? [name, origins, end] : [kind, name, { element: group }, origins, whose, end];
  const element = el("form", { class: "panel", novalidate: true, "aria-label": "Make a token" }, el("h3", {}, bot ? "Make a publishable key" : "Make a token"), ...parts.map((one) => one.element), place, el("div", { class: "item-actions" }, submit), shown);
  const isPublic = () => Boolean(bot) || kind.read() === "publishable";
  const arrange = () => {
    group.hidden = isPublic();
    origins.element.hidden = whose.element.hidden = !isPublic();
  };
  const request = () => {
    const expiresAt = end.read() ? new Date(`${end.read()}T23:59:59`).toISOString() : undefined;
    if (isPublic()) return { name: name.read(), publishable: true, origins: origins.read(), bot: bot?.id ?? (whose.read() || undefined), expiresAt };
    return { name: name.read(), scopes: SCOPES.map(([scope]) => scope).filter((_, at) => scopes[at].read()), expiresAt };
  };
  kind.control.addEventListener("change", arrange);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    for (const old of [place, shown]) old.replaceChildren();
    scopeProblem.textContent = "";
    try {
      const token = await api.json("/api/tokens", { method: "POST", json: request() });
      shown.replaceChildren(once(token));
      shown.querySelector("h4").focus();
      announce("The token is made. Copy it now: it is shown once.");
      for (const one of [name, end]) one.write("");
      made(token);
    } catch (error) {
      if (/`scopes`/.test(error.detail)) scopeProblem.textContent = error.sentence;
      else showProblem(error, fields, place, () => element.requestSubmit());
    } finally {
      submit.disabled = false;
    }
  });
  arrange();
  return { element, unsaved: () => name.read() !== "", load: () => (shown.replaceChildren(), bot || bots(api, whose.control)) };
}

/** Who may not read bots makes tokens for the default one. */
async function bots(api, select) {
  const found = await api.json("/api/bots").catch(() => ({ bots: [] }));
  const chosen = select.value;
  select.replaceChildren(el("option", { value: "" }, "The default bot"), ...found.bots.filter((bot) => !bot.isDefault).map((bot) => el("option", { value: bot.id }, bot.name)));
  select.value = chosen;
}

function once({ token, visitorSecret, name }) {
  const secret = (label, text) => el("div", { class: "once" }, el("span", { class: "field-head" }, label), el("code", { dir: "ltr", tabindex: "0" }, text), copyButton(() => text, `Copy the ${label.toLowerCase()}`));
  return el("section", { class: "shown-once", "aria-label": "Shown once" },
    el("h4", { tabindex: "-1" }, "Copy it now"),
    el("p", { class: "muted" }, `${name} is shown this once. The server keeps only a fingerprint of it.`),
    secret("Token", token),
    visitorSecret && secret("Visitor secret", visitorSecret),
    visitorSecret && el("p", { class: "muted small" }, "The visitor secret is for your server alone: it signs your own users, so that their conversations follow them. The token is public."));
}
