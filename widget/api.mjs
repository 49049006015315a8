// The one connection to Docent. A visitor is let in by the page's publishable token; every request after that carries the visitor's own, hour-long one.
import { Problem, problemOf } from "./problem.mjs";

/** Renewed so long before its end, that no request meets it on the way. */
const EARLY_MS = 60_000;
const SETTINGS_MS = 4_000;

/** Sends `other` when the page turns out to be another person's than what the tab keeps. */
export class Api extends EventTarget {
  #base;
  #publishable;
  #keep;
  #identify;
  #visitor = null;
  /** The voucher that `#visitor` was let in under. */
  #under = null;
  #admitting = null;
  #preview;

  /**
   * `identify` gives the page's voucher: JSON of `{id, expiresAt, signature}`, a function that answers such a value, or null.
   * `preview` is the console's, see element.mjs.
   */
  constructor({ base, token, keep, identify, preview }) {
    super();
    this.#base = base;
    this.#publishable = token;
    this.#keep = keep;
    this.#identify = identify;
    this.#preview = preview;
    this.#visitor = preview ? { token: preview.token, expiresAt: "9999-01-01" } : keep.read("local", "visitor");
  }

  get nickname() {
    return this.#visitor?.nickname ?? null;
  }

  /** A bot's name, texts and looks; null when it has none, or when they do not come in time. */
  async settings(bot) {
    if (this.#preview) return this.#preview.settings;
    try {
      const headers = { authorization: `Bearer ${this.#publishable}` };
      const response = await fetch(`${this.#base}/api/widget/${encodeURIComponent(bot)}`, { headers, credentials: "omit", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(SETTINGS_MS) });
      return response.ok ? await response.json() : null;
    } catch {
      return null;
    }
  }

  /** The visitor's token: the kept one, or a new one under the same name. One request, however many wait for it. */
  admit({ nickname, anew = false } = {}) {
    const alive = this.#visitor && this.#identify() === this.#under && Date.parse(this.#visitor.expiresAt) - Date.now() > EARLY_MS;
    if (alive && !anew && nickname === undefined) return Promise.resolve(this.#visitor.token);
    this.#admitting ??= this.#mint(nickname).finally(() => (this.#admitting = null));
    return this.#admitting;
  }

  /** Clears the tab of what another person left in it, before anybody sees it. Who cannot be told in time counts as another. */
  async recognise() {
    const owner = this.#keep.read("session", "owner");
    if (!owner) return;
    const late = new Promise((resolve) => setTimeout(resolve, SETTINGS_MS));
    const identity = await Promise.race([vouched(this.#identify()), late]).catch(() => null);
    if (owner !== (identity ? named(identity) : this.#keep.read("local", "visitor")?.visitor)) for (const key of ["owner", "conversation", "draft"]) this.#keep.write("session", key, null);
  }

  async #mint(name) {
    const voucher = this.#identify();
    const identity = (await vouched(voucher)) ?? undefined;
    // Who was signed for is signed for again on every page; only who was not is kept.
    const before = !identity ? this.#keep.read("local", "visitor") : this.#visitor?.visitor === named(identity) ? this.#visitor : null;
    const json = { nickname: name ?? before?.nickname ?? undefined, identity, renew: identity ? undefined : before?.token };
    const response = await this.#send("/api/tokens/visitor", this.#publishable, { method: "POST", json });
    if (!response.ok) throw await problemOf(response);
    this.#visitor = await response.json();
    this.#under = voucher;
    if (!identity) this.#keep.write("local", "visitor", this.#visitor);
    this.#own(identity ? named(identity) : this.#visitor.visitor);
    return this.#visitor.token;
  }

  #own(visitor) {
    const owner = this.#keep.read("session", "owner");
    this.#keep.write("session", "owner", visitor);
    // A browser that merely got a new name is the same person's.
    if (owner && owner !== visitor && [owner, visitor].some((one) => one.startsWith("i:"))) this.dispatchEvent(new Event("other"));
  }

  ask(json, signal) {
    return this.#call("/api/chat", { method: "POST", json: { ...json, bot: this.#preview?.bot }, signal });
  }

  /** The running answer of a conversation from its first chunk, or null when none is running. */
  async resume(conversation, signal) {
    const response = await this.#call(`/api/chat/${encodeURIComponent(conversation)}/stream`, { signal });
    return response.status === 204 ? null : response;
  }

  stop(conversation) {
    return this.#call(`/api/chat/${encodeURIComponent(conversation)}/stop`, { method: "POST", json: {} });
  }

  /** The last messages of a conversation as they were stored. */
  async recall(conversation) {
    const response = await this.#call(`/api/conversations/${encodeURIComponent(conversation)}`, {});
    return (await response.json()).messages ?? [];
  }

  /** `rating` is "up", "down", or null to take it back. */
  rate(conversation, message, rating) {
    const path = `/api/conversations/${encodeURIComponent(conversation)}/messages/${encodeURIComponent(message)}/feedback`;
    return this.#call(path, rating ? { method: "PUT", json: { rating } } : { method: "DELETE" });
  }

  /** A token that was refused is renewed once: it may have ended, or its master key may have been retired. */
  async #call(path, options) {
    const response = await this.#send(path, await this.admit(), options);
    if (response.ok) return response;
    if (response.status !== 401) throw await problemOf(response);
    const again = await this.#send(path, await this.admit({ anew: true }), options);
    if (!again.ok) throw await problemOf(again);
    return again;
  }

  async #send(path, token, { method = "GET", json, signal }) {
    const headers = { authorization: `Bearer ${token}` };
    if (json) headers["content-type"] = "application/json";
    try {
      return await fetch(this.#base + path, { method, headers, body: json && JSON.stringify(json), signal, credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem("unreachable");
    }
  }
}

async function vouched(voucher) {
  if (typeof voucher === "function") return voucher();
  try {
    return voucher ? JSON.parse(voucher) : null;
  } catch {
    console.error("docent: data-visitor is no JSON of {id, expiresAt, signature}");
    return null;
  }
}

/** A signed person as the server names them. */
function named({ id }) {
  return `i:${id}`;
}
