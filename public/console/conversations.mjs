// Conversations that this token has had: find one, read it with its sources, take it along as a file, delete it.
import { announce, el, plain } from "./dom.mjs";
import { field } from "./fields.mjs";
import { confirmed } from "./ask-first.mjs";
import { badge, button, empty, failure, fill, pageHead, run, save, when } from "./parts.mjs";
import { Prose } from "./prose.mjs";

const STATES = { streaming: "Being answered", refused: "Not answered", error: "Broke off", interrupted: "Broke off" };

export function open({ api }) {
  const list = el("div", { class: "cards" });
  const reader = el("section", { class: "reader", "aria-label": "Conversation" });
  const query = field("q", "Find words", { type: "search", most: 200, placeholder: "Words of a question or an answer" });
  const search = el("form", { role: "search", "aria-label": "Find conversations", novalidate: true, class: "search-line" }, query.element, el("button", { type: "submit", class: "plain" }, "Find"));
  const element = el("div", {}, pageHead("Conversations", "What was asked with this token, and what was answered. Visitors' conversations are theirs and not shown here."), el("div", { class: "reading" }, el("section", { class: "stack", "aria-label": "Conversations" }, search, list), reader));
  let current = null;
  const page = (cursor) => {
    const words = query.read().trim();
    const rest = `limit=30${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
    return api.json(words ? `/api/conversations/search?q=${encodeURIComponent(words)}&${rest}` : `/api/conversations?${rest}`);
  };
  const more = (cursor) => {
    const next = button("Show more", async () => {
      next.disabled = true;
      try {
        next.replaceWith(...drawPage(await page(cursor)));
      } catch (error) {
        next.replaceWith(failure(error, (event) => event.currentTarget.closest(".notice").replaceWith(more(cursor))));
      }
    });
    return next;
  };
  const drawPage = ({ conversations, nextCursor }) => [...conversations.map((one) => card(one, current)), ...(nextCursor ? [more(nextCursor)] : [])];
  const none = () => (query.read().trim() ? empty("Nothing was found", "All of the words must stand in one message. Try fewer of them.") : empty("No conversations yet", "Ask your documents something: what is asked and answered is kept here.", el("a", { class: "plain", href: "#/" }, "Ask a question")));
  const load = () => fill(list, () => page(null), (found) => (found.conversations.length || found.nextCursor ? drawPage(found) : [none()]));
  search.addEventListener("submit", (event) => (event.preventDefault(), load()));
  query.control.addEventListener("search", load);
  const show = ([id]) => {
    current = id ?? null;
    load();
    reader.hidden = !id;
    element.querySelector(".reading").classList.toggle("one", Boolean(id));
    if (id) read(api, reader, id, load);
  };
  return { element, show };
}

function card({ id, title, updatedAt, matches = [] }, current) {
  return el("a", { class: "item link", href: `#/conversations/${encodeURIComponent(id)}`, "aria-current": id === current ? "true" : null },
    el("h3", { dir: "auto" }, plain(title) || "Without a title"),
    ...matches.map(({ before, match, after }) => el("p", { class: "muted small", dir: "auto" }, before, el("mark", {}, match), after)),
    el("p", { class: "muted small" }, when(updatedAt)));
}

function read(api, reader, id, changed) {
  const path = `/api/conversations/${encodeURIComponent(id)}`;
  reader.replaceChildren();
  return fill(reader, () => api.json(`${path}?limit=100`), (conversation) => {
    const place = el("div");
    const thread = el("div", { class: "thread" }, ...conversation.messages.map(message));
    const earlier = button("Show what was said before", async () => {
      await run(earlier, place, async () => {
        const before = await api.json(`${path}?limit=100&cursor=${encodeURIComponent(earlier.dataset.cursor)}`);
        thread.prepend(...before.messages.map(message));
        cursor(earlier, before.nextCursor);
      });
    });
    cursor(earlier, conversation.nextCursor);
    const file = (format, name, type) => button(format === "json" ? "Save as JSON" : "Save as Markdown", (event) => run(event.currentTarget, place, async () => save(name, type, await exported(api, `${path}/export`, format))));
    const remove = button("Delete", async () => {
      if (!(await confirmed({ title: `Delete ${plain(conversation.title) || "this conversation"}?`, text: "Its questions and answers are gone for good.", yes: "Delete" }))) return;
      if (!(await run(remove, place, () => api.request(path, { method: "DELETE" })))) return;
      announce("The conversation is deleted.");
      changed();
      location.hash = "#/conversations";
    }, "plain bad");
    return [el("a", { class: "back", href: "#/conversations" }, "All conversations"), el("h2", { tabindex: "-1", dir: "auto" }, plain(conversation.title) || "Without a title"),
      el("div", { class: "item-actions" }, file("markdown", "conversation.md", "text/markdown"), file("json", "conversation.json", "application/json"), remove), place, earlier, thread];
  });
}

function cursor(earlier, next) {
  earlier.hidden = !next;
  earlier.dataset.cursor = next ?? "";
}

/** A long one comes in several answers, each of which names the next (RFC 8288). */
async function exported(api, path, format) {
  const parts = [];
  for (let query = `?format=${format}`; query; ) {
    const response = await api.request(path + query);
    parts.push(format === "json" ? await response.json() : await response.text());
    query = /<(\?[^>]*)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
  }
  if (format !== "json") return parts.join("\n");
  return JSON.stringify({ ...parts[0], messages: parts.flatMap((part) => part.messages), nextCursor: undefined }, null, 2);
}

function message({ role, text, state, errorCode, citations, feedback, createdAt }) {
  if (role === "user") return el("div", { class: "question", dir: "auto" }, el("span", { class: "hidden" }, "You asked: "), text);
  const cited = Array.isArray(citations) ? citations : [];
  const prose = new Prose((number) => el("sup", {}, el("span", { class: "cite" }, String(number))));
  prose.draw(text, false);
  prose.element.dir = "auto";
  const sources = cited.filter((one) => one?.quote).map((one) => el("li", {}, el("span", { class: "number" }, String(one.n ?? "")), " ", el("span", { class: "muted" }, [plain(one.filename), one.page && `page ${one.page}`].filter(Boolean).join(", ")), el("blockquote", { dir: "auto" }, one.quote)));
  return el("article", { class: "answer" },
    el("p", { class: "answer-head" }, el("span", { class: "answer-who" }, "Docent"), STATES[state] && badge(STATES[state], state === "refused" ? "" : "bad"), errorCode && el("code", {}, errorCode), feedback && badge(feedback.rating === "up" ? "Helpful" : "Not helpful"), el("span", { class: "muted small" }, when(createdAt))),
    prose.element,
    feedback?.comment && el("p", { class: "muted small", dir: "auto" }, `The reader wrote: ${feedback.comment}`),
    sources.length > 0 && el("details", {}, el("summary", {}, `Quotes (${sources.length})`), el("ol", { class: "examples" }, ...sources)));
}
