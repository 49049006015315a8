// Search without an answer: the passages in their order, where each leg placed them, and what the time went into.
import { announce, el, plain, plural } from "./dom.mjs";
import { field, showProblem } from "./fields.mjs";
import { pageWords } from "./citations.mjs";
import { badge, empty, pageHead, table } from "./parts.mjs";

const LAPS = [["embed", "Embed the question"], ["search", "Search"], ["rerank", "Rerank"]];

export function open({ api }) {
  const query = field("query", "What to look for", { kind: "text", rows: 2, most: 8000, placeholder: "How often is the lantern room inspected?" });
  const bot = field("bot", "As which bot", { kind: "choice", options: [["", "The default bot"]] });
  const collection = field("collections", "Collection", { kind: "choice", options: [["", "All of the bot's"]] });
  const limit = field("limit", "Passages", { kind: "choice", options: ["5", "8", "20", "50"].map((count) => [count, count]) });
  const neighbours = field("neighbours", "Passages around each", { kind: "choice", options: ["0", "1", "2"].map((count) => [count, count]) });
  const metadata = field("metadata", "Condition on metadata", { dir: "ltr", placeholder: '{"team": "legal"}', hint: "JSON; empty: none.", spellcheck: "false" });
  limit.write("8");
  const fields = [query, bot, collection, limit, neighbours, metadata];
  const place = el("div");
  const results = el("section", { class: "columns", "aria-label": "Passages" }, empty("Ask your documents for passages", "What an answer would be made of, with the rank and the score of both searches: by words and by meaning."));
  const submit = el("button", { type: "submit", class: "primary" }, "Search");
  const form = el("form", { class: "panel", novalidate: true, role: "search", "aria-label": "Search your documents" }, query.element, el("div", { class: "field-grid" }, ...[bot, collection, limit, neighbours].map((one) => one.element)), el("details", {}, el("summary", {}, "Filter by metadata"), metadata.element), place, el("div", { class: "item-actions" }, submit));
  query.control.addEventListener("keydown", (event) => event.key === "Enter" && !event.shiftKey && !event.isComposing && (event.preventDefault(), form.requestSubmit()));
  let names = new Map();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    place.replaceChildren();
    const filter = {};
    if (collection.read()) filter.collections = [collection.read()];
    if (metadata.read().trim()) {
      try {
        filter.metadata = JSON.parse(metadata.read());
      } catch {
        return metadata.fail('This is no JSON. Write a condition such as {"team": "legal"}.'), (metadata.element.closest("details").open = true), metadata.control.focus();
      }
    }
    submit.disabled = true;
    results.setAttribute("aria-busy", "true");
    try {
      const answer = await api.json("/api/search", { method: "POST", json: { query: query.read(), bot: bot.read() || undefined, limit: Number(limit.read()), neighbours: Number(neighbours.read()), filter, explain: true } });
      results.replaceChildren(...drawn(answer, names).filter(Boolean));
      announce(plural(answer.hits.length, "passage"));
    } catch (error) {
      showProblem(error, fields, place, () => form.requestSubmit());
    } finally {
      submit.disabled = false;
      results.removeAttribute("aria-busy");
    }
  });
  const load = async () => {
    const [{ bots }, { collections }] = await Promise.all([api.json("/api/bots"), api.json("/api/collections")]).catch(() => [{ bots: [] }, { collections: [] }]);
    choices(bot.control, [["", "The default bot"], ...bots.filter((one) => !one.isDefault).map(({ id, name }) => [id, name])]);
    choices(collection.control, [["", "All of the bot's"], ...collections.map(({ id, name }) => [id, name])]);
    names = new Map(collections.map(({ id, name }) => [id, name]));
  };
  return { element: el("div", {}, pageHead("Search", "The passages that an answer would be made of, and why they stand where they stand."), el("div", { class: "stack" }, form, results)), show: load };
}

function choices(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, words]) => el("option", { value }, words)));
  select.value = options.some(([value]) => value === chosen) ? chosen : "";
}

function drawn({ hits, explain }, names) {
  if (!hits.length) return [empty("Nothing was found", "No passage shares words or meaning with this. Try other words, or fewer conditions."), explain && explained(explain, names)];
  const best = Math.max(...hits.map((hit) => hit.score));
  return [el("ol", { class: "cards hits" }, ...hits.map((hit, at) => card(hit, at + 1, best))), explain && explained(explain, names)];
}

function card(hit, place, best) {
  const { filename, title, headingPath, quote, score, bm25, cosine, coverage, rerank, ranks, before = [], after = [], documentId, ordinal } = hit;
  const share = el("i");
  share.style.inlineSize = `${best > 0 ? Math.max(2, (score / best) * 100) : 0}%`;
  const pages = pageWords(hit);
  const leg = (name, rank, value) => el("span", { class: rank ? "leg" : "leg none" }, el("b", {}, name), rank ? ` rank ${rank}` : " not among its best", typeof value === "number" && ` · ${value.toFixed(3)}`);
  return el("li", { class: "item" },
    el("div", { class: "item-head" }, el("span", { class: "number" }, String(place)), el("h3", { dir: "auto" }, el("a", { href: `#/documents/${encodeURIComponent(documentId)}` }, plain(filename))), pages ? badge(pages, "good") : badge(`passage ${ordinal + 1}`), el("span", { class: "spring" }), el("span", { class: "muted figure" }, score.toFixed(4))),
    el("div", { class: "bar-line", "aria-hidden": "true" }, share),
    headingPath.length > 0 && el("p", { class: "muted small", dir: "auto" }, headingPath.join(" › ")),
    title && title !== filename && el("p", { class: "muted small", dir: "auto" }, plain(title)),
    ...before.map((text) => el("p", { class: "around", dir: "auto" }, text)),
    el("blockquote", { class: "passage", dir: "auto" }, quote),
    ...after.map((text) => el("p", { class: "around", dir: "auto" }, text)),
    el("p", { class: "legs" }, leg("Words (BM25)", ranks?.bm25, bm25), leg("Meaning (cosine)", ranks?.cosine, cosine), typeof coverage === "number" && el("span", { class: "leg" }, el("b", {}, "Words covered"), ` ${Math.round(coverage * 100)}%`), typeof rerank === "number" && el("span", { class: "leg" }, el("b", {}, "Reranker"), ` ${rerank.toFixed(3)}`)));
}

function explained({ terms, model, collections, metadata, reranked, rerankError, vectors, milliseconds }, names) {
  const facts = [["Words that were looked for", terms.length ? terms.join(", ") : "none"], ["Model of the vectors", model], ["Collections", collections.map((id) => names.get(id) ?? id).join(", ")], ["Metadata", metadata ?? "no condition"], ["Order", reranked ? "by the reranker" : rerankError ? `fused; the reranker failed: ${rerankError}` : "fused from both ranks"], vectors && ["Vectors from", `${vectors.store}, asked ${vectors.asks} times${vectors.error ? `, ${vectors.error}` : ""}`]];
  const whole = LAPS.reduce((sum, [name]) => sum + milliseconds[name], 0);
  return el("details", { class: "panel", open: true }, el("summary", {}, `How it was found, in ${whole.toFixed(1)} ms`),
    el("dl", { class: "facts known" }, ...facts.filter(Boolean).flatMap(([name, value]) => [el("dt", {}, name), el("dd", { dir: "auto" }, value)])),
    table("Time", ["Step", { number: "Milliseconds" }], LAPS.filter(([name]) => milliseconds[name] > 0).map(([name, words]) => [words, milliseconds[name].toFixed(1)])));
}
