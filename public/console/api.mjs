// The one connection to Docent's HTTP interface. Every failure becomes a Problem that can be shown as a sentence.

export class Problem extends Error {
  constructor({ status = 0, code = "unknown", detail, hint = "", requestId = "", retryAfter = null }) {
    super(detail);
    // `retryAfter`: seconds after which the same request may succeed, as the server said.
    Object.assign(this, { status, code, detail, hint, requestId, retryAfter });
  }

  /** What went wrong and what to do next, as one reads it. */
  get sentence() {
    return [this.detail, this.hint].filter(Boolean).map(closed).join(" ");
  }

  static of(error) {
    if (error instanceof Problem) return error;
    return new Problem({ code: "unexpected", detail: "The console met something that it did not expect", hint: `Reload the page (${error?.message ?? error})` });
  }
}

export class Api {
  #token;
  #unauthorized;

  constructor(token, unauthorized) {
    this.#token = token;
    this.#unauthorized = unauthorized;
  }

  get token() {
    return this.#token();
  }

  async json(path, options) {
    const response = await this.request(path, options);
    return response.status === 204 ? null : response.json();
  }

  /** Answers the response of a success (or 304); throws a Problem for everything else. */
  async request(path, { method = "GET", json, headers = {}, signal, token = this.#token() } = {}) {
    const sent = { authorization: `Bearer ${token}`, ...headers };
    if (json !== undefined) sent["content-type"] = "application/json";
    const body = json === undefined ? undefined : JSON.stringify(json);
    let response;
    try {
      response = await fetch(path, { method, headers: sent, body, signal, credentials: "omit", cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw unreachable();
    }
    if (response.ok || response.status === 304) return response;
    const problem = await problemOf(response);
    if (response.status === 401 && token === this.#token()) this.#unauthorized();
    throw problem;
  }
}

export function unreachable() {
  return new Problem({ code: "unreachable", detail: "Docent could not be reached", hint: "Check that it is running and that you are online, then try again" });
}

async function problemOf(response) {
  const requestId = response.headers.get("x-request-id") ?? "";
  const wait = Number.parseInt(response.headers.get("retry-after"), 10);
  const retryAfter = wait >= 0 ? wait : null;
  try {
    const { detail, title, hint, code, requestId: id } = await response.json();
    return new Problem({ status: response.status, code, detail: detail ?? title ?? `The server answered ${response.status}`, hint, requestId: id ?? requestId, retryAfter });
  } catch {
    return new Problem({ status: response.status, code: `http_${response.status}`, detail: `The server answered ${response.status} without an explanation`, hint: "Try again in a moment", requestId, retryAfter });
  }
}

function closed(text) {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
