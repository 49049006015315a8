// One answer as it arrives: who answers, the words, the sources, and how it ended.
import { pageWords, sourceLabel, sourceList, sourceOf } from "./citations.mjs";
import { el, icon, plural } from "./dom.mjs";
import { Prose } from "./prose.mjs";
import { retryButton } from "./retry.mjs";
import { errorOf } from "./stream.mjs";

export class Answer {
  id = null;
  text = "";
  /** "growing", then "finished", "failed" or "stopped". */
  state = "growing";
  element = el("article", { class: "answer", "aria-busy": "true", "aria-label": "Answer" });
  #panel;
  #sources = [];
  #cited = new Set();
  #requestId = "";
  #started = performance.now();
  #firstWord = null;
  #frame = 0;
  #head = el("header", { class: "answer-head" }, el("span", { class: "answer-mark", "aria-hidden": "true" }), el("span", { class: "answer-who" }, "Docent"));
  #waiting = el("p", { class: "waiting" }, el("span", { class: "pulse", "aria-hidden": "true" }), el("span", {}, "Searching your documents"));
  #tail = el("div", { class: "answer-tail" });
  #prose = new Prose((number) => this.#marker(number));

  constructor(panel) {
    this.#panel = panel;
    this.element.append(this.#head, this.#waiting, this.#prose.element, this.#tail);
  }

  /** Takes one chunk of the stream. Chunks that the console does not show are passed over. */
  take(chunk) {
    if (chunk.type === "start") this.#begin(chunk);
    else if (chunk.type === "source-document") this.#addSource(chunk);
    else if (chunk.type === "text-delta") this.#addText(chunk.delta);
    else if (chunk.type === "data-citations") this.#addQuotes(chunk.data);
    else if (chunk.type === "data-refusal") this.#refuse(chunk.data);
    else if (chunk.type === "finish") this.#finish(chunk);
    else if (chunk.type === "error") throw Object.assign(errorOf(chunk.errorText), { requestId: this.#requestId });
    else if (chunk.type === "abort") this.stop();
  }

  fail(problem, retry) {
    this.#end("failed");
    const id = problem.requestId || this.#requestId;
    this.#tail.append(el("div", { class: "notice bad", role: "alert" }, icon("alert"),
      el("div", {}, el("p", {}, problem.sentence), el("p", { class: "muted small" }, problem.code, id && ` · request ${id}`)),
      retryButton(problem, retry)));
  }

  stop() {
    this.#end("stopped");
    this.#tail.append(el("p", { class: "notice" }, icon("stop"), "Stopped. What had arrived is kept."));
  }

  #begin({ messageId, messageMetadata }) {
    this.id = messageId ?? null;
    this.#requestId = messageMetadata?.requestId ?? "";
    if (messageMetadata?.answerer) this.#head.append(el("span", { class: "answerer", title: "What writes this answer" }, String(messageMetadata.answerer)));
  }

  #addSource(part) {
    this.#sources.push(sourceOf(part, this.#sources.length + 1));
    this.#waiting.lastChild.textContent = `Reading ${plural(this.#sources.length, "passage")}`;
  }

  #addText(delta) {
    this.#firstWord ??= performance.now();
    this.#waiting.hidden = true;
    this.text += delta;
    // One drawing per frame, however small the deltas are.
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.state === "growing") this.#prose.draw(this.text, true);
    });
  }

  #addQuotes(quotes) {
    for (const { n, page, quote } of quotes) {
      const source = this.#sources[n - 1];
      if (!source) continue;
      this.#cited.add(n);
      if (quote) source.quotes.push(quote);
      source.page ??= page;
    }
  }

  #refuse({ code }) {
    this.element.classList.add("refused");
    this.#head.append(el("span", { class: "answerer refusal" }, ["not answered", code].filter(Boolean).join(": ")));
  }

  #finish({ finishReason, messageMetadata }) {
    this.#end("finished");
    if (finishReason === "length") this.#tail.append(el("p", { class: "notice" }, icon("alert"), "The answer reached its length limit and is not whole."));
    if (finishReason === "content-filter") this.#tail.append(el("p", { class: "notice" }, icon("alert"), "The provider's content filter ended the answer."));
    if (this.#sources.length) this.#tail.append(sourceList(this.#sources, this.#cited, (source, opener) => this.#open(source, opener)));
    const usage = messageMetadata?.usage;
    const tokens = usage && Object.entries(usage).find(([name]) => /output|completion/i.test(name))?.[1];
    const facts = [this.#firstWord && `First words after ${Math.round(this.#firstWord - this.#started)} ms`, tokens > 0 && plural(tokens, "token"), this.#requestId && `request ${this.#requestId}`];
    this.#tail.append(el("p", { class: "answer-facts" }, ...facts.filter(Boolean).map((fact) => el("span", {}, fact))));
  }

  #end(state) {
    cancelAnimationFrame(this.#frame);
    this.state = state;
    this.#waiting.hidden = true;
    this.#prose.draw(this.text, false);
    this.element.setAttribute("aria-busy", "false");
  }

  #marker(number) {
    const source = this.#sources[number - 1];
    if (!source) return null;
    this.#cited.add(number);
    const button = el("button", { type: "button", class: "cite", "aria-expanded": "false", "aria-controls": "source", title: [source.filename, pageWords(source)].filter(Boolean).join(" · "), "aria-label": `Source ${number}: ${sourceLabel(source)}` }, String(number));
    button.addEventListener("click", () => this.#open(source, button));
    return el("sup", {}, button);
  }

  #open(source, opener) {
    this.#panel.open(source, this.#sources, opener);
  }
}
