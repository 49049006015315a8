// The sheet over the conversation that shows where a statement comes from: the quote in its passage, with file and page.
import { el, glyphButton } from "./dom.mjs";

/** Sends `open` and `close`, for what lies below it. */
export class QuoteSheet extends EventTarget {
  element = el("section", { class: "sheet", role: "region", hidden: true });
  #t;
  #opener = null;

  constructor(t) {
    super();
    this.#t = t;
    this.element.setAttribute("aria-label", t("sources"));
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** `sources`: all that the answer cites, to walk through. */
  open(source, sources, opener) {
    this.#opener = opener ?? this.#opener;
    this.element.replaceChildren(...this.#content(source, sources));
    this.element.hidden = false;
    this.dispatchEvent(new Event("open"));
    this.element.querySelector("h3").focus({ preventScroll: true });
  }

  close() {
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.dispatchEvent(new Event("close"));
    this.#opener?.focus();
    this.#opener = null;
  }

  #content(source, sources) {
    const at = sources.indexOf(source);
    const step = (to, name, glyph) => glyphButton(glyph, this.#t(name), () => this.open(sources[to], sources), { disabled: !sources[to] });
    return [
      el("header", { class: "sheet-bar" },
        glyphButton("left", this.#t("back"), () => this.close(), { class: "icon turn" }),
        el("span", { class: "where" }, this.#t("source", { n: source.number })),
        sources.length > 1 && step(at - 1, "previous", "left"), sources.length > 1 && step(at + 1, "next", "right")),
      el("div", { class: "sheet-body", tabindex: "0", role: "group", "aria-label": source.title },
        el("h3", { tabindex: "-1", dir: "auto" }, source.title),
        source.page !== null && el("p", { class: "page-mark" }, this.#t("page", { n: source.page })),
        el("blockquote", { dir: "auto" }, ...marked(source))),
    ];
  }
}

/** The passage with the cited words marked; the cited words alone when they are all there is. */
export function marked({ quote, quotes }) {
  const places = quotes.map((text) => [quote.indexOf(text), text.length]).filter(([start]) => start >= 0).sort((a, b) => a[0] - b[0]);
  if (places.length === 0) return [el("mark", {}, quotes[0] ?? quote)];
  const nodes = [];
  let from = 0;
  for (const [start, length] of places) {
    if (start < from) continue;
    nodes.push(quote.slice(from, start), el("mark", {}, quote.slice(start, start + length)));
    from = start + length;
  }
  return [...nodes, quote.slice(from)];
}
