// What a bot could not answer, and what people think of what it did answer: the list of what to write next.
import { el, plural } from "./dom.mjs";
import { field } from "./fields.mjs";
import { badge, button, empty, failure, fill, note, when } from "./parts.mjs";

const SPANS = [["7", "the last 7 days"], ["30", "the last 30 days"], ["90", "the last 90 days"]];

export function gaps(api, bot) {
  const days = field("days", "Asked in", { kind: "choice", options: SPANS });
  days.write("30");
  const list = el("div", { class: "stack" });
  const load = () => {
    const since = new Date(Date.now() - Number(days.read()) * 86_400_000).toISOString();
    return fill(list, () => api.json(`/api/bots/${encodeURIComponent(bot.id)}/gaps?since=${encodeURIComponent(since)}`), drawn);
  };
  days.control.addEventListener("change", load);
  const element = el("div", { class: "stack narrow" }, el("p", { class: "muted" }, "Questions that were refused because no document answers them, those that ask for the same taken together. A document that answers the first of them helps most."), days.element, list);
  return { element, show: load };
}

function drawn({ gaps: found, questions, truncated }) {
  if (!found.length) return [empty("No gaps", "Everything that was asked in this time found an answer in your documents, or nothing was asked yet.")];
  const most = found[0].asked;
  const item = ({ question, asked, lastAskedAt, examples }) => el("li", { class: "item" },
    el("div", { class: "item-head" }, el("h3", { dir: "auto" }, question), badge(plural(asked, "time"))),
    meter(asked / most),
    examples.length > 0 && el("details", {}, el("summary", {}, `Also asked as (${examples.length})`), el("ul", { class: "examples" }, ...examples.map((text) => el("li", { dir: "auto" }, text)))),
    el("p", { class: "muted small" }, "Last asked ", when(lastAskedAt)));
  return [el("p", { class: "muted", role: "status" }, `${plural(questions, "question")} without an answer, in ${plural(found.length, "kind")}.`), truncated && note("There were more than one report looks at. Choose a shorter time."), el("ol", { class: "cards" }, ...found.map(item))];
}

function meter(share) {
  const bar = el("i");
  bar.style.inlineSize = `${Math.max(2, share * 100)}%`;
  return el("div", { class: "bar-line", "aria-hidden": "true" }, bar);
}

export function feedback(api, bot) {
  const rating = field("rating", "Show", { kind: "choice", options: [["", "all"], ["down", "not helpful"], ["up", "helpful"]] });
  const list = el("div", { class: "stack" });
  const page = (cursor) => api.json(`/api/bots/${encodeURIComponent(bot.id)}/feedback?limit=20${rating.read() && `&rating=${rating.read()}`}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
  const drawPage = ({ feedback: found, nextCursor }) => [...found.map(rated), nextCursor && more(nextCursor)];
  const more = (cursor) => {
    const next = button("Show more", async () => {
      next.disabled = true;
      try {
        next.replaceWith(...drawPage(await page(cursor)).filter(Boolean));
      } catch (error) {
        next.replaceWith(failure(error, (event) => event.currentTarget.closest(".notice").replaceWith(more(cursor))));
      }
    });
    return next;
  };
  const load = () => fill(list, () => page(null), (found) => (found.feedback.length ? drawPage(found) : [empty("No feedback yet", "Below every answer in the widget are two thumbs. What visitors press, and what they write to it, stands here.")]));
  rating.control.addEventListener("change", load);
  return { element: el("div", { class: "stack narrow" }, el("p", { class: "muted" }, "What people think of this bot's answers, with both texts as they were then. Who it was is not told."), rating.element, list), show: load };
}

function rated({ rating, comment, question, answer, updatedAt }) {
  return el("article", { class: "item" },
    el("div", { class: "item-head" }, el("h3", { dir: "auto" }, question), badge(rating === "up" ? "Helpful" : "Not helpful", rating === "up" ? "good" : "bad")),
    comment && el("blockquote", { dir: "auto" }, comment),
    el("details", {}, el("summary", {}, "The answer"), el("p", { class: "said", dir: "auto" }, answer)),
    el("p", { class: "muted small" }, when(updatedAt)));
}
