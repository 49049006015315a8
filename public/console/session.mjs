// Who is asking: a token from the address' fragment or from the sign-in card, kept for this tab only.

import * as kept from "./kept.mjs";

const KEY = "docent.token";

export class Session extends EventTarget {
  token = null;
  #api;
  #card = document.querySelector("#sign-in");
  #form = document.querySelector("#sign-in-form");
  #field = document.querySelector("#token");
  #error = document.querySelector("#sign-in-error");
  #signOut = document.querySelector("#sign-out");
  #tenant = null;

  start(api) {
    this.#api = api;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#tryToken(this.#field.value.trim());
    });
    this.#signOut.addEventListener("click", () => this.#leave(""));
    addEventListener("hashchange", () => {
      const token = fromFragment();
      if (token) this.#open(token);
    });
    this.#open(fromFragment() ?? kept.read(KEY));
  }

  /** The server no longer takes the token. What was typed stays where it is, behind the card. */
  expire() {
    if (this.token) this.#show(false, "This token is no longer accepted. Paste a current one; what you typed is kept.");
    kept.keep(KEY, null);
    this.token = null;
  }

  async #tryToken(token) {
    if (!token) return this.#show(false, "Paste a token first. It starts with docent_sk_.");
    if (token.startsWith("docent_pk_")) return this.#show(false, "This is a publishable token: it lets visitors of your pages chat, and cannot sign in here. Paste a secret one, which starts with docent_sk_.");
    const button = this.#form.querySelector("button");
    button.disabled = true;
    try {
      await this.#api.json("/api/documents?limit=1", { token });
      this.#open(token);
    } catch (problem) {
      this.#show(false, problem.sentence ?? problem.message);
    } finally {
      button.disabled = false;
    }
  }

  #open(token) {
    if (!token) return this.#show(false, "");
    // What one tenant's people looked at is nobody else's; a token for another of the same keeps what was typed.
    const [, , tenant] = token.split("_");
    if (this.#tenant && this.#tenant !== tenant) this.dispatchEvent(new Event("close"));
    this.#tenant = tenant;
    kept.keep(KEY, token);
    this.token = token;
    this.#field.value = "";
    this.#show(true, "");
    this.dispatchEvent(new Event("open"));
  }

  #leave(sentence) {
    kept.keep(KEY, null);
    this.token = null;
    this.dispatchEvent(new Event("close"));
    this.#show(false, sentence);
  }

  #show(signedIn, sentence) {
    this.#card.hidden = signedIn;
    document.querySelector("#desk").hidden = !signedIn;
    for (const part of ["#pages", "#switch", "#rooms"]) document.querySelector(part).hidden = !signedIn;
    document.querySelector(".skip").hidden = !signedIn;
    this.#signOut.hidden = !signedIn;
    this.#error.textContent = sentence;
    if (!signedIn) this.#field.focus();
  }
}

/** Takes the token out of the address bar, so that it reaches neither the history nor a shared link. */
function fromFragment() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) history.replaceState(null, "", location.pathname + location.search);
  return token || null;
}
