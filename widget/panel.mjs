// The window: its bar, the conversation, the composer, and what lies over them. It knows nothing of how answers are had.
import { Composer } from "./composer.mjs";
import { Conversation } from "./conversation.mjs";
import { el, glyphButton, icon } from "./dom.mjs";
import { nicknameGate } from "./nickname.mjs";
import { QuoteSheet } from "./quote.mjs";

const NEAR_END = 60;
const STATUS_MS = 2_500;

/** Sends `close`. */
export class Panel extends EventTarget {
  element;
  #t;
  #api;
  #looks;
  #conversation;
  #composer;
  #sheet;
  #guide;
  #gate = null;
  #status = el("p", { class: "status", role: "status" });
  #scroller;
  #latest;
  #below;
  #restart;
  #offline;
  #waiting = false;

  constructor(t, { api, keep, looks, gated }) {
    super();
    this.#t = t;
    this.#api = api;
    this.#looks = looks;
    this.#conversation = new Conversation(t, { api, keep });
    this.#composer = new Composer(t, { keep, placeholder: looks.placeholder ?? t("placeholder"), label: t("placeholder") });
    this.#sheet = new QuoteSheet(t);
    this.#build();
    this.#wire();
    if (gated && !api.nickname) this.#showGate();
    this.#changed();
    this.#connected();
  }

  open() {
    // Let in while the visitor reads the greeting; a failure is told when something is asked.
    if (!this.#gate) this.#api.admit().catch(() => {});
    this.#conversation.resume();
    this.#toEnd();
  }

  /** Not into the field where that would open a keyboard over half of the screen. */
  focus() {
    if (this.#sheet.isOpen) return;
    if (this.#gate) this.#gate.querySelector("input").focus();
    else if (matchMedia("(hover: hover)").matches) this.#composer.focus();
    else this.element.querySelector("h2").focus();
  }

  ask(text) {
    if (!this.#gate) this.#conversation.ask(text);
    else this.#composer.draft = text;
  }

  /** True when there was something over the conversation to close. */
  back() {
    const open = this.#sheet.isOpen;
    this.#sheet.close();
    return open;
  }

  #build() {
    const t = this.#t;
    const name = this.#looks.name ?? t("assistant");
    this.#guide = el("div", { class: "guide" }, el("p", { class: "greeting", dir: "auto" }, this.#looks.greeting ?? t("greeting")),
      this.#looks.suggestions.length > 0 && el("ul", { class: "suggestions" }, ...this.#looks.suggestions.map((text) => el("li", {}, el("button", { type: "button", dir: "auto", onclick: () => (this.ask(text), this.focus()) }, text)))));
    this.#offline = el("p", { class: "banner", role: "status" });
    this.#scroller = el("div", { class: "scroller", tabindex: "0", role: "log", "aria-live": "off", "aria-label": t("conversation") }, this.#guide, this.#conversation.thread);
    this.#latest = el("button", { type: "button", class: "latest", "aria-label": t("latest"), title: t("latest"), hidden: true, onclick: () => this.#toEnd() }, icon("down"));
    this.#restart = glyphButton("restart", t("restart"), () => (this.#conversation.reset(), this.focus()));
    this.#below = el("div", { class: "below" }, this.#scroller, el("div", { class: "dock" }, this.#latest, this.#composer.element, el("p", { class: "note" }, t("note"))));
    this.element = el("section", { class: "panel", id: "panel", role: "dialog", "aria-labelledby": "title" },
      el("header", { class: "bar" }, el("span", { class: "mark", "aria-hidden": "true" }, icon("chat")), el("h2", { id: "title", tabindex: "-1", dir: "auto" }, name), this.#restart, glyphButton("close", t("close"), () => this.dispatchEvent(new Event("close")))),
      this.#offline, this.#below, this.#sheet.element, this.#status);
  }

  #wire() {
    const on = (target, name, listener) => target.addEventListener(name, (event) => listener(event.detail ?? {}));
    on(this.#composer, "ask", ({ text }) => {
      this.#composer.draft = "";
      this.#conversation.ask(text);
    });
    on(this.#api, "other", () => (this.#composer.draft = this.#conversation.forget()));
    on(this.#composer, "stop", () => this.#conversation.stop());
    on(this.#conversation, "change", () => (this.#changed(), this.#toEnd()));
    on(this.#conversation, "busy", ({ busy }) => (this.#composer.busy = busy));
    on(this.#conversation, "wait", ({ waiting }) => ((this.#waiting = waiting), this.#connected()));
    on(this.#conversation, "draft", ({ text }) => (this.#composer.draft ||= text));
    on(this.#conversation, "again", ({ text }) => this.#composer.draft.trim() === text && (this.#composer.draft = ""));
    on(this.#conversation, "say", ({ text, shown }) => this.#say(text, shown));
    on(this.#conversation, "source", ({ source, sources, opener }) => this.#sheet.open(source, sources, opener));
    on(this.#conversation, "grow", () => this.#follow());
    on(this.#sheet, "open", () => (this.#below.inert = true));
    on(this.#sheet, "close", () => (this.#below.inert = false));
    for (const name of ["online", "offline"]) addEventListener(name, () => this.#connected());
    this.#scroller.addEventListener("scroll", () => (this.#latest.hidden = this.#atEnd()), { passive: true });
  }

  #showGate() {
    this.#gate = nicknameGate(this.#t, async (nickname) => {
      await this.#api.admit({ nickname });
      this.#gate.remove();
      this.#gate = null;
      this.#below.hidden = false;
      this.focus();
    });
    this.#below.hidden = true;
    this.#below.before(this.#gate);
  }

  #changed() {
    this.#guide.hidden = this.#conversation.started;
    this.#restart.hidden = !this.#conversation.started;
  }

  #connected() {
    this.#offline.textContent = navigator.onLine === false ? this.#t("offline") : "";
    this.#composer.blocked = navigator.onLine === false || this.#waiting;
  }

  /** For screen readers always; on the screen only what is worth it. */
  #say(text, shown = false) {
    this.#status.textContent = text;
    this.#status.classList.toggle("shown", shown);
    if (shown) setTimeout(() => this.#status.classList.remove("shown"), STATUS_MS);
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  /** A reader who went back to read is left alone. */
  #follow() {
    if (this.#latest.hidden) this.#toEnd();
  }

  /** In the next frame, when what was added has its height. */
  #toEnd() {
    requestAnimationFrame(() => {
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
      this.#latest.hidden = true;
    });
  }
}
