// <docent-chat>: the button in the corner of a page, and the window that it opens. All of it in a shadow root, so that the page's styles and the widget's leave each other alone.
import { Api } from "./api.mjs";
import { el, icon } from "./dom.mjs";
import { Keep } from "./keep.mjs";
import { Panel } from "./panel.mjs";
import { settings } from "./settings.mjs";
import css from "./widget.css";
import { language, speak } from "./texts.mjs";

const PHONE = "(max-width: 560px), (max-height: 460px)";

export class DocentChat extends HTMLElement {
  static observedAttributes = ["theme"];

  /** A page's own function: answers `{id, expiresAt, signature}` of the person whom its server signed in. */
  identify = null;
  /** Of the console: `{bot, settings, token}` shows settings that nobody has saved, and asks with a token of the bot's keeper. */
  preview = null;
  #root = null;
  #panel = null;
  #launcher;
  #keep;
  #phone = matchMedia(PHONE);
  #ready;

  connectedCallback() {
    this.#ready ??= this.#start();
  }

  attributeChangedCallback(_, before, now) {
    if (this.#root && before !== now) this.dataset.theme = now;
  }

  async open() {
    await this.#ready;
    this.#show(true);
    this.#panel?.focus();
  }

  close() {
    const inside = this.#root?.activeElement;
    this.#show(false);
    if (inside) this.#launcher?.focus();
  }

  /** Opens the window and asks. */
  async ask(text) {
    await this.open();
    this.#panel?.ask(String(text));
  }

  async #start() {
    const own = Object.fromEntries(["api", "token", "bot", "lang", "color", "position", "theme", "nickname", "visitor"].map((name) => [name, this.getAttribute(name) ?? undefined]));
    const { preview } = this;
    if (!preview && !/^docent_pk_\w+$/.test(own.token ?? "")) return console.error("docent: the tag needs data-token=\"docent_pk_…\", a publishable token");
    const base = new URL(own.api ?? location.href).origin;
    this.#keep = new Keep((preview?.bot ?? own.token).slice(-12));
    const api = new Api({ base, token: own.token, keep: this.#keep, identify: () => this.identify ?? this.getAttribute("visitor"), preview });
    const [found] = await Promise.all([api.settings(own.bot || "default"), api.recognise()]);
    const looks = settings(found, own);
    const t = speak(language([own.lang, document.documentElement.lang, looks.language, ...navigator.languages]));
    this.#build(t, { api, looks, gated: own.nickname === "true" && !own.visitor });
  }

  #build(t, { api, looks, gated }) {
    // Open, because a closed root protects from nothing, and hides the widget from the site's own accessibility tests.
    this.#root = this.attachShadow({ mode: "open" });
    this.#root.adoptedStyleSheets = [sheet(css), ...(looks.palette ? [sheet(colours(looks.palette))] : [])];
    Object.assign(this.dataset, { theme: looks.theme, position: looks.position });
    this.#panel = new Panel(t, { api, keep: this.#keep, looks, gated });
    this.#panel.addEventListener("close", () => this.close());
    this.#launcher = el("button", { type: "button", class: looks.launcher ? "launcher worded" : "launcher", "aria-expanded": "false", "aria-controls": "panel", "aria-label": looks.launcher ?? t("open"), title: looks.launcher ? null : t("open"), onclick: () => (this.#panel.element.hidden ? this.open() : this.close()) }, icon("chat"), icon("down"), looks.launcher && el("span", {}, looks.launcher));
    const frame = el("div", { class: "frame", lang: t.language, dir: t.direction }, this.#panel.element, this.#launcher);
    this.#root.append(frame);
    frame.addEventListener("keydown", (event) => this.#key(event));
    this.#phone.addEventListener("change", () => this.#cover());
    globalThis.visualViewport?.addEventListener("resize", () => this.#cover());
    this.#show(this.#keep.read("session", "open") === true);
  }

  #show(open) {
    if (!this.#panel) return;
    this.#panel.element.hidden = !open;
    this.#launcher.setAttribute("aria-expanded", String(open));
    this.#keep.write("session", "open", open || null);
    this.#cover();
    if (open) this.#panel.open();
    this.dispatchEvent(new CustomEvent(open ? "docent-open" : "docent-close"));
  }

  /** On a phone the window covers the page: it is modal there, and ends above the keyboard. */
  #cover() {
    const covers = this.#phone.matches && !this.#panel.element.hidden;
    // In the console's preview it covers a box of the page, and the rest of the page stays there.
    const modal = covers && !this.preview;
    this.#panel.element.setAttribute("aria-modal", String(modal));
    this.#launcher.hidden = covers;
    const height = modal && globalThis.visualViewport ? `${visualViewport.height}px` : "";
    this.#panel.element.style.setProperty("--height", height);
  }

  #key(event) {
    if (event.key === "Escape" && !event.isComposing && !this.#panel.element.hidden) {
      event.stopPropagation();
      if (!this.#panel.back()) this.close();
    }
    if (event.key === "Tab" && !this.preview && this.#phone.matches && !this.#panel.element.hidden) this.#turnAround(event);
  }

  /** Keeps the focus within a modal window. */
  #turnAround(event) {
    const able = [...this.#panel.element.querySelectorAll("button, a, input, textarea, [tabindex='0']")].filter((node) => !node.disabled && !node.closest("[inert]") && node.checkVisibility());
    const edge = event.shiftKey ? able[0] : able.at(-1);
    if (this.#root.activeElement !== edge) return;
    event.preventDefault();
    (event.shiftKey ? able.at(-1) : able[0]).focus();
  }
}

/** Made by script, so that a policy without `style-src` holds. */
function sheet(text) {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

/** Of a checked colour, see `colour.mjs`. */
function colours({ fill, on, light, dark }) {
  return `:host { --fill: ${fill}; --fill-hover: color-mix(in srgb, ${fill} 88%, ${on}); --on-fill: ${on}; --accent: light-dark(${light}, ${dark}); --soft: color-mix(in srgb, ${fill} 13%, var(--surface)); }`;
}
