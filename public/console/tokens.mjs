// Platform tokens: made for a purpose, shown once, ended when they are no longer needed.
import { announce, el, plain } from "./dom.mjs";
import { confirmed } from "./ask-first.mjs";
import { badge, button, empty, fill, pageHead, run, when } from "./parts.mjs";
import { tokenForm } from "./token-form.mjs";

export function open({ api, session }) {
  const list = el("div", { class: "cards" });
  const load = () => fill(list, () => api.json("/api/tokens"), ({ tokens }) => (tokens.length ? tokens.map((token) => card(api, session, token, load)) : [empty("No tokens yet", "A secret token lets one of your servers in. A publishable one lets visitors of your pages chat.")]));
  const form = tokenForm(api, { made: load });
  const element = el("div", {},
    pageHead("Tokens", "A secret token is for your own servers and says what they may do. A publishable one stands in your pages and works from the origins that it names."),
    el("div", { class: "columns" }, el("div", { class: "stack" }, el("section", { "aria-label": "Tokens" }, list), el("p", { class: "muted small" }, "What they are sent to: ", el("a", { href: "./api.html" }, "the HTTP interface"), ", also as ", el("a", { href: "./openapi.json" }, "OpenAPI"), ".")), form.element));
  return { element, show: () => (form.load(), load()), unsaved: form.unsaved };
}

function card(api, session, token, load) {
  const { id, kind, last4, scopes, origins, expiresAt, lastUsedAt, createdAt } = token;
  const name = plain(token.name);
  const place = el("div");
  const own = session.token?.endsWith(last4);
  const ended = expiresAt && Date.parse(expiresAt) < Date.now();
  const revoke = button("Revoke", async () => {
    const text = own ? "It looks like the token that this tab is signed in with: you would have to sign in again. Whoever uses it is refused at once." : "Whoever uses it is refused at once. This cannot be taken back.";
    if (!(await confirmed({ title: `Revoke ${name}?`, text, yes: "Revoke" }))) return;
    if (await run(revoke, place, () => api.request(`/api/tokens/${encodeURIComponent(id)}`, { method: "DELETE" }))) {
      announce(`${name}: revoked`);
      load();
    }
  }, "plain bad");
  return el("article", { class: "item", "aria-label": name },
    el("div", { class: "item-head" }, el("h3", { dir: "auto" }, name), badge(kind), ended && badge("Ended", "bad"), own && badge("This tab", "good")),
    el("p", { class: "secret-tail" }, `${kind === "publishable" ? "docent_pk" : "docent_sk"}_… ${last4}`),
    scopes.length > 0 && el("p", {}, "May ", ...scopes.flatMap((scope) => [badge(scope), " "])),
    origins.length > 0 && el("ul", { class: "origins", "aria-label": "Allowed origins" }, ...origins.map((origin) => el("li", { dir: "ltr" }, origin))),
    el("p", { class: "muted small" }, "Made ", when(createdAt), lastUsedAt ? " · last used " : " · never used", when(lastUsedAt), expiresAt ? " · ends " : "", when(expiresAt)),
    el("div", { class: "item-actions" }, revoke), place);
}
