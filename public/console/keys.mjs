// Provider keys: paste one, have it checked, replace it, take it away. The server never shows a key again, and neither does this page.
import { announce, el } from "./dom.mjs";
import { field, showProblem } from "./fields.mjs";
import { confirmed } from "./ask-first.mjs";
import { badge, button, empty, fill, pageHead, run, when } from "./parts.mjs";

const KNOWN = ["openai", "anthropic", "gemini", "mistral", "groq", "xai", "cohere", "voyage", "openrouter", "ollama"];
const WORDS = { good: "Works", unchecked: "Not checked", bad: "Refused", restricted: "Restricted", out_of_credit: "Out of credit", rate_limited: "Asked to wait", unreachable: "No answer", not_an_api: "Not an API" };

export function open({ api }) {
  const list = el("div", { class: "cards" });
  const form = keyForm(api, () => load());
  const element = el("div", {},
    pageHead("Provider keys", "Bring your own key for a model. It is sealed when it is saved; afterwards only its last four characters are shown."),
    el("div", { class: "columns" }, el("section", { "aria-label": "Saved keys" }, list), form.element));
  const load = () => fill(list, () => api.json("/api/keys"), ({ keys }) => (keys.length ? keys.map((key) => card(api, key, { load, replace: form.replace })) : [empty("No keys yet", "Bots answer with your documents' own sentences until a model's key is saved. Choose a provider, paste its key, and it is checked at once.")]));
  return { element, show: load, unsaved: form.unsaved };
}

function card(api, key, { load, replace }) {
  const { provider, baseUrl, last4, status, hint, checkedAt, fingerprint } = key;
  const place = el("div");
  const path = `/api/keys/${encodeURIComponent(provider)}`;
  const check = button("Check now", () => run(check, place, async () => {
    const { status: now } = await api.json(`${path}/check`, { method: "POST" });
    announce(`${provider}: ${WORDS[now] ?? now}`);
    await load();
  }));
  const remove = button("Delete", async () => {
    if (!(await confirmed({ title: `Delete the key for ${provider}?`, text: "Bots that use it stop answering by their model until another key is saved. The key itself stays valid at the provider.", yes: "Delete" }))) return;
    if (await run(remove, place, () => api.request(path, { method: "DELETE" }))) load();
  }, "plain bad");
  return el("article", { class: "item", "aria-label": provider },
    el("div", { class: "item-head" }, el("h3", {}, provider), badge(WORDS[status] ?? status, status === "good" ? "good" : status === "unchecked" ? "" : "bad")),
    el("p", { class: "secret-tail" }, last4 ? `•••• ${last4}` : "••••"),
    hint && el("p", { class: "muted" }, hint),
    el("p", { class: "muted small" }, el("span", { dir: "ltr" }, baseUrl), checkedAt && " · checked ", when(checkedAt), ` · fingerprint ${fingerprint}`),
    el("div", { class: "item-actions" }, check, button("Replace", () => replace(key)), remove), place);
}

function keyForm(api, saved) {
  const names = el("datalist", { id: "known-providers" }, ...KNOWN.map((name) => el("option", { value: name })));
  const provider = field("provider", "Provider", { list: "known-providers", dir: "ltr", hint: "A known one, or any name for a gateway that speaks OpenAI's language.", autocapitalize: "off", spellcheck: "false" });
  const key = field("key", "Key", { type: "password", dir: "ltr", autocomplete: "off", spellcheck: "false", autocapitalize: "off", hint: "It goes to this server only, over the connection that you see, and is sealed there." });
  const baseUrl = field("baseUrl", "Base URL", { dir: "ltr", placeholder: "the provider's own", hint: "Only for a gateway, a region, or a server of your own.", spellcheck: "false", autocapitalize: "off" });
  const fields = [provider, key, baseUrl];
  const place = el("div");
  const submit = el("button", { type: "submit", class: "primary" }, "Save and check");
  const title = el("h3", {}, "Add a key");
  const element = el("form", { class: "panel", novalidate: true, "aria-label": "Add a key" }, title, names, ...fields.map((one) => one.element), place, el("div", { class: "item-actions" }, submit));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = provider.read().trim().toLowerCase();
    if (!name) return provider.fail("Name the provider first, such as openai."), provider.control.focus();
    submit.disabled = true;
    place.replaceChildren();
    try {
      const made = await api.json(`/api/keys/${encodeURIComponent(name)}`, { method: "PUT", json: { key: key.read().trim(), baseUrl: baseUrl.read().trim() || undefined } });
      for (const one of fields) one.write("");
      title.textContent = "Add a key";
      announce(`${made.provider}: saved. ${WORDS[made.status] ?? made.status}. ${made.hint ?? ""}`);
      saved();
    } catch (error) {
      showProblem(error, fields, place, () => element.requestSubmit());
    } finally {
      submit.disabled = false;
    }
  });
  const replace = (before) => {
    title.textContent = `Replace the key for ${before.provider}`;
    provider.write(before.provider);
    baseUrl.write(before.baseUrl);
    key.control.focus();
  };
  return { element, replace, unsaved: () => key.read() !== "" };
}
