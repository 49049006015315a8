// What an empty conversation shows: the next step, whichever it is.
import { el, icon } from "./dom.mjs";
import { sampleFile, sampleQuestions } from "./sample.mjs";

export class Guide {
  #element;
  #documents;
  #chat;
  #showView;

  constructor(element, { documents, chat, showView }) {
    this.#element = element;
    this.#documents = documents;
    this.#chat = chat;
    this.#showView = showView;
    for (const room of [documents, chat]) room.addEventListener("change", () => this.show());
  }

  show() {
    this.#element.hidden = this.#chat.started;
    if (this.#chat.started) return;
    const all = this.#documents.all;
    const ready = all.filter((document) => document.status === "ready");
    const step = ready.length > 0 ? 2 : all.some((document) => document.status !== "failed") ? 1 : 0;
    this.#element.replaceChildren(
      el("h3", {}, ["Begin with a document", "Your document is on its way", "Ask your first question"][step]),
      el("p", { class: "muted" }, [
        "Docent reads it, and answers with quotes that you can check, page by page.",
        "It is being read and indexed. The first question can be asked in a moment.",
        "Every answer cites what it rests on. When the documents do not say, Docent says so.",
      ][step]),
      el("ol", { class: "steps" }, ...["Add a document", "Wait until it is ready", "Ask"].map((name, index) => this.#step(name, index, step))),
      this.#action(step, ready) ?? "",
    );
  }

  #step(name, index, current) {
    const state = index < current ? "done" : index === current ? "current" : "ahead";
    return el("li", { "data-state": state, "aria-current": state === "current" ? "step" : null }, el("span", { class: "step-mark", "aria-hidden": "true" }, state === "done" ? icon("check") : String(index + 1)), name);
  }

  #action(step, ready) {
    if (step === 0) {
      const choose = el("button", { type: "button", class: "primary", onclick: () => document.querySelector("#files").click() }, "Choose a file");
      const sample = el("button", { type: "button", class: "quiet", onclick: () => this.#trySample() }, "Try it with a sample");
      return el("div", { class: "actions" }, choose, sample);
    }
    if (step === 2 && ready.some((document) => document.filename === sampleFile().name)) {
      return el("div", { class: "actions" }, ...sampleQuestions.map((question) => el("button", { type: "button", class: "chip", onclick: () => this.#chat.ask(question) }, question)));
    }
    return null;
  }

  #trySample() {
    this.#documents.add([sampleFile()]);
    this.#showView("ask");
    this.#chat.focus();
  }
}
