// One turn: the question, the answer as it arrives, its sources, and how it ended.
import { el, glyphButton, icon, newId, plain } from "./dom.mjs";
import { Prose } from "./markdown.mjs";
import { Problem } from "./problem.mjs";

const ERROR = /^([a-z][a-z0-9_]*): ([^]*)$/;
/** Sources of one answer; Docent sends at most 20. */
const MOST_SOURCES = 50;

/** Sends `source` {source, opener}, `again` and `rate` {rating}. */
export class Answer extends EventTarget {
  id = null;
  text = "";
  /** "growing", then "finished", "failed" or "stopped". */
  state = "growing";
  sources = [];
  cited = new Set();
  rating = null;
  /** The text that told why it failed. */
  problem = null;
  element;
  #t;
  #frame = 0;
  #prose = new Prose((number) => this.#marker(number));
  #waiting;
  #tail = el("div", { class: "tail" });

  constructor(t) {
    super();
    this.#t = t;
    this.#waiting = el("p", { class: "waiting" }, el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), el("span", {}, t("searching")));
    this.element = el("article", { class: "answer", "aria-label": t("answer"), "aria-busy": "true" }, this.#waiting, this.#prose.element, this.#tail);
  }

  /** Takes one chunk of the stream. Those of other kinds are passed over. */
  take(chunk) {
    if (chunk.type === "start") this.#begin(chunk);
    else if (chunk.type === "source-document") this.#source(chunk);
    else if (chunk.type === "text-delta") this.#say(String(chunk.delta ?? ""));
    else if (chunk.type === "data-citations") this.#quotes(chunk.data);
    else if (chunk.type === "data-refusal") this.element.classList.add("refused");
    else if (chunk.type === "finish") this.finish(chunk.finishReason);
    else if (chunk.type === "abort") this.stop();
    else if (chunk.type === "error") throw problemIn(chunk.errorText);
  }

  finish(reason) {
    this.#end("finished");
    if (reason === "length") this.#tail.append(el("p", { class: "notice" }, icon("alert"), this.#t("length")));
    this.#list();
    this.#tools();
  }

  stop() {
    this.#end("stopped");
    this.#tail.append(el("div", { class: "notice" }, icon("stop"), el("span", {}, this.#t("stopped")), this.#againButton()));
  }

  /** `sentence` is a node, because one of them counts down. */
  fail(problem, sentence) {
    this.#end("failed");
    this.problem = problem.text === "limited" ? "ready" : problem.text;
    const facts = [problem.code, problem.requestId].filter(Boolean).join(" · ");
    const button = problem.text === "closed" || problem.text === "spent" ? null : this.#againButton();
    this.#tail.append(el("div", { class: "notice bad", role: "alert" }, icon("alert"), el("div", {}, sentence, el("p", { class: "facts", dir: "ltr" }, facts)), button));
    return button;
  }

  /** What a reload needs to draw it again. */
  get stored() {
    const { id, text, state, sources, cited, rating, problem } = this;
    return { id, text, state, sources, cited: [...cited], rating, problem, refused: this.element.classList.contains("refused") };
  }

  restore({ id, text, state, sources, cited, rating, problem, refused }) {
    Object.assign(this, { id, text, sources, cited: new Set(cited), rating });
    this.element.classList.toggle("refused", refused === true);
    if (state === "finished") this.finish();
    else if (state === "stopped") this.stop();
    else if (state === "failed") this.fail({ text: problem }, el("p", {}, this.#t(problem)));
    else this.#prose.draw(text, true);
  }

  /** Takes an answer that came to its end while nobody read, as the server stored it. */
  recall({ id, text, citations, state }) {
    this.clear();
    this.#begin({ messageId: id });
    this.#quotes(citations);
    this.text = String(text);
    this.element.classList.toggle("refused", state === "refused");
    this.finish();
  }

  /** A replay begins at the first word. */
  clear() {
    this.text = "";
    this.sources = [];
    this.cited.clear();
    this.#prose.draw("", true);
  }

  #begin({ messageId }) {
    this.id = typeof messageId === "string" ? messageId : null;
  }

  #source(part) {
    if (this.sources.length >= MOST_SOURCES) return;
    const own = part.providerMetadata?.docent ?? {};
    this.#add(this.sources.length + 1, part.title || part.filename || part.sourceId, own);
    this.#waiting.lastChild.textContent = this.#t("reading");
  }

  #add(number, title, { page, quote }) {
    const source = { number, title: plain(title), page: Number.isInteger(page) ? page : null, quote: plain(quote), quotes: [] };
    this.sources.push(source);
    this.sources.sort((a, b) => a.number - b.number);
    return source;
  }

  #numbered(number) {
    return this.sources.find((source) => source.number === number);
  }

  #say(delta) {
    this.text += delta;
    this.#waiting.hidden = true;
    // One drawing per frame, however small the deltas are.
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.state === "growing") this.#prose.draw(this.text, true);
      this.dispatchEvent(new Event("grow"));
    });
  }

  /** A stored answer comes without its sources: only those that it cites are known, in the order of its text. */
  #quotes(quotes) {
    for (const { n, page, quote, filename, sourceId } of Array.isArray(quotes) ? quotes : []) {
      if (!Number.isInteger(n) || n < 1 || n > MOST_SOURCES) continue;
      // Its marker was drawn as mere text.
      if (!this.#numbered(n)) this.#prose.draw("", true);
      const source = this.#numbered(n) ?? this.#add(n, filename || sourceId, { page, quote });
      this.cited.add(n);
      if (quote) source.quotes.push(plain(quote));
      source.page ??= Number.isInteger(page) ? page : null;
    }
  }

  #end(state) {
    cancelAnimationFrame(this.#frame);
    this.state = state;
    this.#waiting.hidden = true;
    this.#prose.draw(this.text, false);
    this.#tail.replaceChildren();
    this.element.setAttribute("aria-busy", "false");
  }

  #marker(number) {
    const source = this.#numbered(number);
    if (!source) return null;
    this.cited.add(number);
    return el("button", { type: "button", class: "cite", "aria-label": this.label(source), title: this.label(source), onclick: (event) => this.#open(source, event.currentTarget) }, number.toLocaleString(this.#t.language));
  }

  label(source) {
    return [`${this.#t("source", { n: source.number })}: ${source.title}`, source.page !== null && this.#t("page", { n: source.page })].filter(Boolean).join(", ");
  }

  #open(source, opener) {
    this.dispatchEvent(new CustomEvent("source", { detail: { source, opener } }));
  }

  #list() {
    const used = this.sources.filter((source) => this.cited.has(source.number));
    if (!used.length) return;
    const item = (source) => el("li", {}, el("button", { type: "button", class: "source", title: this.label(source), onclick: (event) => this.#open(source, event.currentTarget) },
      el("span", { class: "number" }, source.number.toLocaleString(this.#t.language)), el("bdi", { class: "title" }, source.title), source.page !== null && el("span", { class: "page" }, this.#t("page", { n: source.page }))));
    this.#tail.append(el("section", { class: "sources", "aria-label": this.#t("sources") }, el("ol", {}, ...used.map(item))));
  }

  #tools() {
    const rate = (name, label, rating) => glyphButton(name, this.#t(label), () => this.#rate(rating), { "aria-pressed": String(this.rating === rating), "data-rating": rating });
    const copy = navigator.clipboard && glyphButton("copy", this.#t("copy"), () => this.dispatchEvent(new Event("copy")));
    this.#tail.append(el("div", { class: "tools" }, this.id && rate("up", "helpful", "up"), this.id && rate("nay", "unhelpful", "down"), copy));
  }

  /** Shown before it is stored; whoever stores it takes it back when that fails. */
  rate(rating) {
    this.rating = rating;
    for (const button of this.#tail.querySelectorAll("[data-rating]")) button.setAttribute("aria-pressed", String(button.dataset.rating === rating));
  }

  #rate(rating) {
    this.dispatchEvent(new CustomEvent("rate", { detail: { rating: this.rating === rating ? null : rating } }));
  }

  #againButton() {
    return el("button", { type: "button", class: "quiet", onclick: () => this.dispatchEvent(new Event("again")) }, icon("restart"), this.#t("again"));
  }
}

/** What the visitor asked, as a bubble. */
export function questionBubble(t, text) {
  return el("div", { class: "question" }, el("span", { class: "hidden" }, `${t("you")} `), el("span", { class: "words", dir: "auto" }, text));
}

export function newTurn(question) {
  return { id: newId("msg_"), question, answer: null, begun: false };
}

function problemIn(errorText) {
  const [, code, detail] = ERROR.exec(String(errorText)) ?? [null, "failed", String(errorText)];
  return new Problem(code, { detail });
}
