// The console's pages by the address' fragment: `#/bots/…`. A page is fetched when it is first asked for, and kept with what was typed into it.
import { el } from "./dom.mjs";

const PAGES = {
  bots: ["Bots", () => import("./bots.mjs")],
  search: ["Search", () => import("./search.mjs")],
  conversations: ["Conversations", () => import("./conversations.mjs")],
  usage: ["Usage", () => import("./usage.mjs")],
  keys: ["Provider keys", () => import("./keys.mjs")],
  tokens: ["Tokens", () => import("./tokens.mjs")],
  evaluation: ["Evaluation", () => import("./evaluation.mjs")],
  documents: ["Document", () => import("./document.mjs")],
};

export class Pages {
  #context;
  #main = document.querySelector("#main");
  #place = document.querySelector("#pages");
  #rooms = document.querySelector("#rooms");
  #toggle = document.querySelector("#rooms-toggle");
  #skip = document.querySelector(".skip");
  #open = new Map();
  #turn = 0;

  /** `context`: what every page may use, `api`, `session` and `documents`. */
  constructor(context) {
    this.#context = context;
    addEventListener("hashchange", () => this.show(true));
    addEventListener("beforeunload", (event) => [...this.#open.values()].some((page) => page.unsaved?.()) && event.preventDefault());
    this.#toggle.addEventListener("click", () => this.#menu(this.#rooms.dataset.open === undefined));
    this.#rooms.addEventListener("keydown", (event) => event.key === "Escape" && (this.#menu(false), this.#toggle.focus()));
    addEventListener("click", (event) => this.#rooms.contains(event.target) || this.#menu(false));
    this.#skip.addEventListener("click", (event) => this.#main.dataset.page !== "ask" && (event.preventDefault(), this.#focus()));
  }

  /** Draws what the address names; `moved`: the reader came by a link and wants to be there. */
  async show(moved) {
    const place = where();
    if (!place || !this.#context.session.token) return;
    const [name, ...parameters] = place;
    const turn = ++this.#turn;
    this.#main.dataset.page = name;
    for (const link of this.#rooms.querySelectorAll("a")) {
      const here = link.getAttribute("href") === (name === "ask" ? "#/" : `#/${name}`);
      link.toggleAttribute("aria-current", here);
      if (here) link.setAttribute("aria-current", "page");
    }
    this.#menu(false);
    this.#skip.textContent = name === "ask" ? "Skip to the question" : "Skip to the page";
    document.title = name === "ask" ? "Docent" : `${PAGES[name][0]} · Docent`;
    if (name === "ask") return;
    const page = this.#open.get(name) ?? (await this.#load(name));
    if (turn !== this.#turn) return;
    for (const shown of this.#place.children) shown.hidden = shown !== page.element;
    if (page.element.parentElement !== this.#place) this.#place.append(page.element);
    page.element.hidden = false;
    page.show(parameters);
    this.#place.scrollTo({ top: 0 });
    if (moved) this.#focus();
  }

  /** Another person's pages must not stay in this one's tab. */
  clear() {
    this.#turn += 1;
    this.#open.clear();
    this.#place.replaceChildren();
  }

  async #load(name) {
    try {
      const [module] = await Promise.all([PAGES[name][1](), styles()]);
      const page = module.open(this.#context);
      page.element.classList.add("page");
      this.#open.set(name, page);
      return page;
    } catch {
      // A module that could not be fetched is not fetched again before a reload: the browser remembers the failure.
      const again = el("button", { type: "button", class: "plain", onclick: () => location.reload() }, "Reload");
      const element = el("div", { class: "page" }, el("div", { class: "empty", role: "alert" }, el("h2", { tabindex: "-1" }, "This page could not be fetched"), el("p", { class: "muted" }, "Check that Docent is running and that you are online, then reload."), again));
      return { element, show() {} };
    }
  }

  #focus() {
    const shown = [...this.#place.children].find((page) => !page.hidden);
    shown?.querySelector("h2")?.focus({ preventScroll: true });
  }

  #menu(open) {
    this.#rooms.toggleAttribute("data-open", open);
    this.#toggle.setAttribute("aria-expanded", String(open));
  }
}

/** The page's name and what follows it; nothing for a fragment that is no address. */
function where() {
  const { hash } = location;
  if (hash && !hash.startsWith("#/")) return document.querySelector("#main").dataset.page === "ask" ? ["ask"] : null;
  try {
    const [name, ...parameters] = hash.slice(2).split("/").map(decodeURIComponent);
    return Object.hasOwn(PAGES, name) ? [name, ...parameters.filter(Boolean)] : ["ask"];
  } catch {
    return ["ask"];
  }
}

let sheet = null;

/** The pages' looks come with the first of them: the first view has no use for them. */
function styles() {
  sheet ??= new Promise((resolve, reject) => {
    const link = el("link", { rel: "stylesheet", href: "./console/pages.css" });
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => (link.remove(), (sheet = null), reject(new Error("no styles"))));
    document.head.append(link);
  });
  return sheet;
}
