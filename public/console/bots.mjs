// Bots: the list, and one bot with its settings, its key for pages, its gaps and what people think of its answers.
import { announce, el, plain } from "./dom.mjs";
import { botForm } from "./bot-form.mjs";
import { embed } from "./bot-embed.mjs";
import { feedback, gaps } from "./bot-gaps.mjs";
import { field, showProblem } from "./fields.mjs";
import { confirmed } from "./ask-first.mjs";
import { badge, button, empty, failure, fill, pageHead, run } from "./parts.mjs";

const TABS = [["", "Settings"], ["embed", "Put it on a page"], ["gaps", "Gaps"], ["feedback", "Feedback"]];

export function open({ api }) {
  const element = el("div");
  const shown = new Map();
  const list = botList(api);
  const show = ([id, tab = ""]) => {
    if (!id) {
      element.replaceChildren(list.element);
      return list.show();
    }
    // A bot's page stays as it was left, with what was typed into it.
    const one = shown.get(id) ?? botPage(api, id, () => shown.delete(id));
    shown.set(id, one);
    element.replaceChildren(one.element);
    return one.show(TABS.some(([name]) => name === tab) ? tab : "");
  };
  return { element, show, unsaved: () => list.unsaved() || [...shown.values()].some((one) => one.unsaved()) };
}

function botList(api) {
  const cards = el("div", { class: "cards" });
  const name = field("name", "Name of the new bot", { most: 200 });
  const place = el("div");
  const submit = el("button", { type: "submit", class: "primary" }, "Make the bot");
  const form = el("form", { class: "panel", novalidate: true, "aria-label": "Make a bot" }, el("h3", {}, "Make a bot"), el("p", { class: "muted" }, "It answers from the same documents as the default one until you choose others."), name.element, place, el("div", { class: "item-actions" }, submit));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    place.replaceChildren();
    try {
      const made = await api.json("/api/bots", { method: "POST", json: { name: name.read() } });
      name.write("");
      announce(`${made.name}: made`);
      location.hash = `#/bots/${made.id}`;
    } catch (error) {
      showProblem(error, [name], place, () => form.requestSubmit());
    } finally {
      submit.disabled = false;
    }
  });
  const card = (bot) => el("a", { class: "item link", href: `#/bots/${encodeURIComponent(bot.id)}` },
    el("div", { class: "item-head" }, el("h3", { dir: "auto" }, plain(bot.name)), bot.isDefault && badge("Default", "good")),
    el("p", { class: "muted" }, bot.provider === "extractive" ? "Answers with the documents' own sentences" : `Answers by ${bot.model} of ${bot.provider}`),
    bot.greeting && el("p", { class: "muted small clipped", dir: "auto" }, bot.greeting));
  const draw = ({ bots }) => (bots.length ? bots.map(card) : [empty("No bots yet", "A bot says who answers, from which documents, and how it looks on your pages.")]);
  const element = el("div", {}, pageHead("Bots", "Who answers, from which documents, and how it looks on your pages."), el("div", { class: "columns" }, el("section", { "aria-label": "Bots" }, cards), form));
  return { element, show: () => fill(cards, () => api.json("/api/bots"), draw), unsaved: () => name.read() !== "" };
}

function botPage(api, id, forget) {
  const path = `/api/bots/${encodeURIComponent(id)}`;
  const title = el("h2", { tabindex: "-1", dir: "auto" }, "Bot");
  const place = el("div");
  const remove = button("Delete", () => removed(), "plain bad", { hidden: true });
  const link = ([tab, words]) => el("a", { href: `#/bots/${encodeURIComponent(id)}${tab && `/${tab}`}`, "data-tab": tab }, words);
  const tabs = el("nav", { class: "tabs", "aria-label": "This bot" }, ...TABS.map(link));
  const body = el("div");
  const element = el("div", {}, el("a", { class: "back", href: "#/bots" }, "All bots"), el("header", { class: "page-head" }, title, el("div", { class: "page-actions" }, remove)), place, tabs, body);
  const parts = new Map();
  let bot = null;
  const named = (changed) => {
    bot = changed;
    title.textContent = plain(bot.name);
    remove.hidden = bot.isDefault;
  };
  const make = { "": () => botForm(api, bot, named), embed: () => embed(api, bot), gaps: () => gaps(api, bot), feedback: () => feedback(api, bot) };
  const show = async (tab) => {
    for (const one of tabs.children) one.toggleAttribute("aria-current", one.dataset.tab === tab), one.dataset.tab === tab && one.setAttribute("aria-current", "page");
    try {
      if (!bot) named(await api.json(path));
    } catch (error) {
      return body.replaceChildren(failure(error, () => show(tab)));
    }
    if (!parts.has(tab)) parts.set(tab, make[tab]());
    body.replaceChildren(parts.get(tab).element);
    return parts.get(tab).show?.();
  };
  const removed = async () => {
    if (!(await confirmed({ title: `Delete ${plain(bot.name)}?`, text: "Its settings are gone, and pages that show it have nobody to answer. Documents stay.", yes: "Delete" }))) return;
    if (!(await run(remove, place, () => api.request(path, { method: "DELETE" })))) return;
    forget();
    announce(`${bot.name}: deleted`);
    location.hash = "#/bots";
  };
  return { element, show, unsaved: () => [...parts.values()].some((part) => part.unsaved?.()) };
}
