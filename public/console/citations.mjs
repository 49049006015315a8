// Where an answer comes from: the list below it, and the panel that shows a quote with its file and page.
import { el, icon, plain } from "./dom.mjs";

/** A source as the console uses it, from a `source-document` part. */
export function sourceOf(part, number) {
  const own = part.providerMetadata?.docent ?? {};
  return { number, sourceId: part.sourceId, title: plain(part.title), filename: plain(part.filename ?? part.title), quotes: [], ...own };
}

export function pageWords({ page, pageLast }) {
  if (page === null || page === undefined) return "";
  return pageLast && pageLast !== page ? `pages ${page}–${pageLast}` : `page ${page}`;
}

export function sourceLabel(source) {
  return [source.filename, pageWords(source)].filter(Boolean).join(", ");
}

/** The list below an answer: what it cites, then, folded away, what else was read. */
export function sourceList(sources, cited, open) {
  const item = (source) => el("li", {}, el("button", { type: "button", class: "source-item", onclick: (event) => open(source, event.currentTarget) },
    el("span", { class: "number" }, el("span", { class: "hidden" }, "Source "), String(source.number)),
    el("span", { class: "source-file" }, source.filename),
    el("span", { class: "source-page" }, pageWords(source)),
    el("span", { class: "source-snippet" }, source.quotes[0] ?? source.quote ?? "")));
  const used = sources.filter((source) => cited.has(source.number));
  const read = sources.filter((source) => !cited.has(source.number));
  const section = el("section", { class: "sources", "aria-label": "Sources of this answer" });
  if (used.length) section.append(el("h3", {}, "Sources"), el("ol", {}, ...used.map(item)));
  if (read.length) section.append(el("details", {}, el("summary", {}, used.length ? `${read.length} more read, not cited` : `${read.length} read, none cited`), el("ol", {}, ...read.map(item))));
  return section;
}

export class SourcePanel {
  #element;
  #opener = null;
  #narrow = matchMedia("(max-width: 1099px)");
  #behind = ["#documents", "#chat", "#switch"].map((selector) => document.querySelector(selector));

  constructor(element) {
    this.#element = element;
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !element.hidden && !document.querySelector("dialog[open]")) this.close();
    });
    this.#narrow.addEventListener("change", () => this.#cover());
  }

  /** `sources`: all of the answer's, to walk through. */
  open(source, sources, opener) {
    this.#opener = opener ?? this.#opener;
    this.#element.replaceChildren(...this.#content(source, sources));
    this.#element.hidden = false;
    this.#cover();
    this.#element.querySelector("h2").focus();
    for (const marked of document.querySelectorAll(".cite[aria-expanded=true]")) marked.setAttribute("aria-expanded", "false");
    if (this.#opener?.classList.contains("cite")) this.#opener.setAttribute("aria-expanded", "true");
  }

  close() {
    if (this.#element.hidden) return;
    this.#element.hidden = true;
    this.#cover();
    if (this.#opener?.classList.contains("cite")) this.#opener.setAttribute("aria-expanded", "false");
    this.#opener?.focus();
    this.#opener = null;
  }

  /** On a narrow screen the panel lies over the rest, which must then not take the focus. */
  #cover() {
    const covered = this.#narrow.matches && !this.#element.hidden;
    for (const part of this.#behind) part.inert = covered;
    this.#element.parentElement.classList.toggle("with-source", !this.#element.hidden);
  }

  #content(source, sources) {
    const at = sources.indexOf(source);
    const step = (to, name, glyph) => el("button", { type: "button", class: "icon", "aria-label": name, disabled: !sources[to], onclick: () => this.open(sources[to], sources) }, icon(glyph));
    const facts = [["Page", pageWords(source).replace(/^pages? /, "")], ["Passage", source.ordinal === undefined ? "" : String(source.ordinal + 1)], ["Document", source.documentId], ["Score", typeof source.score === "number" ? source.score.toFixed(3) : ""]];
    return [
      el("div", { class: "source-bar" },
        el("span", { class: "number", "aria-hidden": "true" }, String(source.number)),
        el("span", { class: "muted" }, `Source ${source.number} of ${sources.length}`),
        el("span", { class: "spring" }),
        step(at - 1, "Previous source", "left"),
        step(at + 1, "Next source", "right"),
        el("button", { type: "button", class: "icon", "aria-label": "Close the source", onclick: () => this.close() }, icon("close"))),
      el("div", { class: "source-body", tabindex: "0", role: "region", "aria-label": "Quote" },
        el("h2", { id: "source-title", tabindex: "-1" }, source.filename),
        el("p", { class: "source-where" }, pageWords(source) ? el("span", { class: "page-mark" }, pageWords(source)) : el("span", { class: "muted" }, "This format has no pages"), source.title && source.title !== source.filename && el("span", { class: "muted" }, source.title)),
        el("blockquote", { class: "quote" }, ...marked(source)),
        el("dl", { class: "facts" }, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))),
    ];
  }
}

/** The passage with the cited words marked; the cited words alone when they are all there is. */
function marked({ quote = "", quotes }) {
  const cited = quotes.filter((text) => quote.includes(text) && text !== quote);
  if (cited.length === 0) return [el("mark", {}, quotes[0] ?? quote)];
  const nodes = [];
  let from = 0;
  for (const text of cited.toSorted((a, b) => quote.indexOf(a) - quote.indexOf(b))) {
    const start = quote.indexOf(text, from);
    if (start < 0) continue;
    nodes.push(quote.slice(from, start), el("mark", {}, text));
    from = start + text.length;
  }
  return [...nodes, quote.slice(from)];
}
