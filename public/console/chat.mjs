// The conversation: the composer, the questions and their answers. What was typed is never lost, whatever fails.
import { Problem } from "./api.mjs";
import { Answer } from "./answer.mjs";
import { announce, el, icon, newId } from "./dom.mjs";
import * as kept from "./kept.mjs";
import { chunks } from "./stream.mjs";

const DRAFT = "docent.draft";
/** Bytes, as the server counts them: longer questions are documents. */
const LONGEST_QUESTION = 16_000;
const find = (selector) => document.querySelector(selector);

/** Sends `change` when the conversation begins or is put away. */
export class Chat extends EventTarget {
  #api;
  #panel;
  #id = newId("chat_");
  #turns = [];
  #abort = null;
  #thread = find("#thread");
  #scroller = find("#scroller");
  #field = find("#question");
  #sendButton = find("#send");
  #stopButton = find("#stop");
  #newButton = find("#new-chat");
  #long = find("#question-problem");

  constructor(api, panel) {
    super();
    this.#api = api;
    this.#panel = panel;
    this.#sendButton.append(icon("send"));
    this.#stopButton.append(icon("stop"));
    this.#stopButton.addEventListener("click", () => this.#abort?.abort());
    this.#newButton.addEventListener("click", () => (this.reset(), this.focus()));
    find("#composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(this.#field.value);
    });
    this.#field.addEventListener("input", () => this.#draft(this.#field.value));
    this.#field.addEventListener("keydown", (event) => {
      // Enter also ends the choosing of a character in many languages' input methods.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.ask(this.#field.value);
    });
    this.#draft(kept.read(DRAFT) ?? "");
  }

  get started() {
    return this.#turns.length > 0;
  }

  /** Not where a focus would open a keyboard over half of the screen. */
  focus() {
    if (matchMedia("(hover: hover)").matches) this.#field.focus({ preventScroll: true });
  }

  reset() {
    this.#abort?.abort();
    this.#panel.close();
    this.#turns = [];
    this.#id = newId("chat_");
    this.#thread.replaceChildren();
    this.#newButton.hidden = true;
    this.dispatchEvent(new Event("change"));
  }

  ask(text) {
    const question = text.trim();
    if (!question || this.#abort || this.#tooLong(question)) return;
    if (this.#field.value.trim() === question) this.#draft("");
    const turn = { id: newId("msg_"), question, answer: null };
    this.#turns.push(turn);
    this.#thread.append(el("div", { class: "question" }, el("span", { class: "hidden" }, "You asked: "), question));
    this.#newButton.hidden = false;
    this.dispatchEvent(new Event("change"));
    this.#run(turn);
  }

  async #run(turn) {
    turn.answer?.element.remove();
    const answer = new Answer(this.#panel);
    turn.answer = answer;
    this.#thread.append(answer.element);
    this.#scroll();
    const abort = new AbortController();
    this.#running(abort);
    try {
      await this.#stream(turn, abort.signal);
      announce(answer.state === "finished" ? "The answer is complete." : "The answer was stopped.");
    } catch (error) {
      const following = this.#atBottom();
      if (error.name === "AbortError") answer.stop();
      else this.#failed(turn, Problem.of(error));
      if (following) this.#scroll();
    } finally {
      if (this.#abort === abort) this.#running(null);
    }
  }

  async #stream(turn, signal) {
    const json = { id: this.#id, messages: this.#messages(turn), trigger: "submit-message" };
    const response = await this.#api.request("/api/chat", { method: "POST", json, signal, headers: { accept: "text/event-stream" } });
    for await (const chunk of chunks(response.body)) {
      const following = this.#atBottom();
      turn.answer.take(chunk);
      if (following) this.#scroll();
    }
  }

  /** A turn that failed before its first word goes back into the composer as well, unless something new stands there. */
  #failed(turn, problem) {
    turn.answer.fail(problem, () => this.#abort || this.#again(turn));
    if (!turn.answer.text && !this.#field.value) this.#draft(turn.question);
  }

  #again(turn) {
    if (this.#field.value.trim() === turn.question) this.#draft("");
    this.#run(turn);
    this.focus();
  }

  /** Only answers that came to their end are history; a half one would be quoted back to the model as if it were whole. */
  #messages(turn) {
    const part = (text) => [{ type: "text", text }];
    const earlier = this.#turns.slice(0, this.#turns.indexOf(turn)).filter(({ answer }) => answer.state === "finished");
    const history = earlier.flatMap(({ id, question, answer }) => [
      { id, role: "user", parts: part(question) },
      { id: answer.id ?? `${id}_answer`, role: "assistant", parts: part(answer.text) },
    ]);
    return [...history, { id: turn.id, role: "user", parts: part(turn.question) }];
  }

  #running(abort) {
    const hadFocus = document.activeElement === this.#sendButton || document.activeElement === this.#stopButton;
    this.#abort = abort;
    this.#sendButton.hidden = abort !== null;
    this.#stopButton.hidden = abort === null;
    if (hadFocus) this.focus();
  }

  #draft(text) {
    if (this.#field.value !== text) this.#field.value = text;
    kept.keep(DRAFT, text || null);
    this.#tooLong(text.trim());
  }

  /** Says so while it is typed; the text stays where it is, to be shortened or to be added as a document. */
  #tooLong(question) {
    const bytes = question.length * 3 > LONGEST_QUESTION ? new TextEncoder().encode(question).length : 0;
    const over = bytes > LONGEST_QUESTION;
    this.#long.textContent = over ? `This is ${bytes.toLocaleString("en")} bytes long; a question has at most ${LONGEST_QUESTION.toLocaleString("en")}. Shorten it, or add it as a document and ask about that.` : "";
    this.#field.toggleAttribute("aria-invalid", over);
    if (over) this.#field.setAttribute("aria-invalid", "true");
    return over;
  }

  #atBottom() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight < 80;
  }

  /** In the next frame, when what was added has its height. */
  #scroll() {
    requestAnimationFrame(() => this.#scroller.scrollTo({ top: this.#scroller.scrollHeight }));
  }
}
