// What puts a bot on a page: a publishable key for that page's origin, and the tag that carries it.
import { el, plain } from "./dom.mjs";
import { badge, copyButton, empty, fill, when } from "./parts.mjs";
import { tokenForm } from "./token-form.mjs";

export function embed(api, bot) {
  const tag = el("div", { class: "panel" });
  const list = el("div", { class: "cards" });
  const load = () => fill(list, () => api.json("/api/tokens"), ({ tokens }) => {
    const mine = tokens.filter(({ kind, bot: whose }) => kind === "publishable" && (whose === bot.id || (whose === null && bot.isDefault)));
    return mine.length ? mine.map(card) : [empty("No key for this bot yet", "Make one for the origin of your page. It is public: it only lets visitors in, and only from the origins that it names.")];
  });
  const form = tokenForm(api, { bot, made: (token) => (draw(token.token), load()) });
  const draw = (token) => {
    const text = `<script src="${location.origin}/widget.js" data-token="${token ?? "docent_pk_…"}" async></script>`;
    const policy = `script-src ${location.origin}; connect-src ${location.origin}`;
    tag.replaceChildren(el("h3", {}, "The tag"),
      el("p", { class: "muted" }, token ? "Put this line into your pages, before the end of the body." : "Make a key first; its text then stands in this line, once. With an older key, put in the text that you kept."),
      el("pre", { tabindex: "0", dir: "ltr", "aria-label": "The tag" }, el("code", { id: "tag" }, text)),
      el("div", { class: "item-actions" }, copyButton(() => text, "Copy the tag")),
      el("p", { class: "muted small" }, "A page with a content security policy adds: ", el("code", { dir: "ltr" }, policy)),
      el("p", { class: "muted small" }, "If the chat on your page cannot be reached, the page's address is not among the key's origins: compare scheme, host and port letter by letter."));
  };
  draw(null);
  const element = el("div", { class: "columns" }, el("div", { class: "stack" }, tag, el("section", { "aria-label": "Keys of this bot" }, list)), form.element);
  return { element, show: load, unsaved: form.unsaved };
}

function card({ name, last4, origins, expiresAt, lastUsedAt }) {
  return el("article", { class: "item", "aria-label": plain(name) },
    el("div", { class: "item-head" }, el("h4", { dir: "auto" }, plain(name)), expiresAt && Date.parse(expiresAt) < Date.now() && badge("Ended", "bad")),
    el("p", { class: "secret-tail" }, `docent_pk_… ${last4}`),
    el("ul", { class: "origins", "aria-label": "Allowed origins" }, ...origins.map((origin) => el("li", { dir: "ltr" }, origin))),
    el("p", { class: "muted small" }, lastUsedAt ? "Last used " : "Never used yet", when(lastUsedAt), " · ", el("a", { href: "#/tokens" }, "Revoke it among the tokens")));
}
