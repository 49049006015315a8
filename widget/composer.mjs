// Where questions are written. What was typed stays until it was sent, through reloads, failures and limits.
import { el, icon } from "./dom.mjs";

/** Bytes of UTF-8: the server's limit, see `LONGEST_QUESTION` in `shared/app/src/chat/request.rs`. */
export const LONGEST_QUESTION = 16_000;

/** Sends `ask` {text}, `stop` and `edit`. */
export class Composer extends EventTarget {
  element;
  #t;
  #keep;
  #field;
  #send;
  #stop;
  #problem = el("p", { class: "problem", role: "alert", id: "problem" });
  #busy = false;
  #blocked = false;

  constructor(t, { keep, placeholder, label }) {
    super();
    this.#t = t;
    this.#keep = keep;
    this.#field = el("textarea", { rows: "1", "aria-label": label, placeholder, enterkeyhint: "send", "aria-describedby": "problem", dir: "auto" });
    this.#send = el("button", { type: "submit", class: "send", "aria-label": t("send"), title: t("send") }, icon("send"));
    this.#stop = el("button", { type: "button", class: "send halt", "aria-label": t("stop"), title: t("stop"), hidden: true, onclick: () => this.dispatchEvent(new Event("stop")) }, icon("stop"));
    this.element = el("form", { class: "composer", novalidate: true, onsubmit: (event) => (event.preventDefault(), this.#submit()) }, this.#problem, el("div", { class: "field" }, this.#field, this.#send, this.#stop));
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => {
      // Enter also ends the choosing of a character in many languages' input methods.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    this.draft = keep.read("session", "draft") ?? "";
  }

  get draft() {
    return this.#field.value;
  }

  set draft(text) {
    this.#field.value = text;
    this.#changed();
  }

  /** An answer is running. */
  set busy(busy) {
    const focused = [this.#send, this.#stop].includes(this.element.getRootNode().activeElement);
    this.#busy = busy;
    this.#send.hidden = busy;
    this.#stop.hidden = !busy;
    if (focused) this.focus();
  }

  /** Nothing can be sent now: offline, or the server asked to wait. What is written stays. */
  set blocked(blocked) {
    this.#blocked = blocked;
    this.#changed();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  #submit() {
    const text = this.draft.trim();
    if (text && !this.#busy && !this.#blocked && surplus(text) === 0) this.dispatchEvent(new CustomEvent("ask", { detail: { text } }));
  }

  #changed() {
    const over = surplus(this.draft.trim());
    const told = over ? this.#t("long", { n: over }) : "";
    if (this.#problem.textContent !== told) this.#problem.textContent = told;
    this.#field.setAttribute("aria-invalid", String(over > 0));
    this.#send.disabled = over > 0 || this.#blocked;
    this.#keep.write("session", "draft", this.draft || null);
    // For browsers without `field-sizing`.
    if (!CSS.supports("field-sizing", "content")) {
      this.#field.style.height = "auto";
      this.#field.style.height = `${this.#field.scrollHeight}px`;
    }
  }
}

/** Characters too many: how many must go from the end, until the rest fits into the limit of bytes. */
export function surplus(text) {
  // Most questions are short, and no character has more than three bytes per unit of its length.
  if (text.length * 3 <= LONGEST_QUESTION) return 0;
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= LONGEST_QUESTION) return 0;
  // A character begins where a byte is none of those that go on with one.
  return bytes.subarray(LONGEST_QUESTION).reduce((count, byte) => count + ((byte & 0xc0) === 0x80 ? 0 : 1), 0) + ((bytes[LONGEST_QUESTION] & 0xc0) === 0x80 ? 1 : 0);
}
