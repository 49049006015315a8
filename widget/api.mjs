// The one connection to Docent. A visitor is let in by the page's publishable token; every request after that carries the visitor's own, hour-long one.
import { Problem, problemOf } from "./problem.mjs";

/** Renewed so long before its end, that no request meets it on the way. */
const EARLY_MS = 60_000;
const SETTINGS_MS = 4_000;

export class Api {
  #base;
  #publishable;
  #keep;
  #identify;
  #visitor = null;
  #admitting = null;

  /** `identify` answers `{id, expiresAt, signature}` of a person whom the page's server signed for, or nothing. */
  constructor({ base, token, keep, identify }) {
    this.#base = base;
    this.#publishable = token;
    this.#keep = keep;
    this.#identify = identify;
    this.#visitor = keep.read("local", "visitor");
  }

  get nickname() {
    return this.#visitor?.nickname ?? null;
  }

  /** A bot's name, texts and looks; null when it has none, or when they do not come in time. */
  async settings(bot) {
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
    const alive = this.#visitor && Date.parse(this.#visitor.expiresAt) - Date.now() > EARLY_MS;
    if (alive && !anew && nickname === undefined) return Promise.resolve(this.#visitor.token);
    this.#admitting ??= this.#mint(nickname).finally(() => (this.#admitting = null));
    return this.#admitting;
  }

  async #mint(nickname = this.nickname ?? undefined) {
    const identity = (await this.#identify?.()) ?? undefined;
    const renew = identity ? undefined : this.#visitor?.token;
    const response = await this.#send("/api/tokens/visitor", this.#publishable, { method: "POST", json: { nickname, identity, renew } });
    if (!response.ok) throw await problemOf(response);
    this.#visitor = await response.json();
    // Who was vouched for is vouched for again on every page.
    if (!identity) this.#keep.write("local", "visitor", this.#visitor);
    return this.#visitor.token;
  }

  ask(json, signal) {
    return this.#call("/api/chat", { method: "POST", json, signal });
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
