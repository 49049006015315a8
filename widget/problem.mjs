// What can go wrong between the widget and Docent, as a code that texts are found by.

export class Problem extends Error {
  /** `wait`: seconds after which the same request may succeed, as the server said. */
  constructor(code, { status = 0, wait = null, requestId = "", detail = "" } = {}) {
    super(detail || code);
    Object.assign(this, { code, status, wait, requestId });
  }

  static of(error) {
    return error instanceof Problem ? error : new Problem("failed", { detail: String(error?.message ?? error) });
  }

  /** The text that tells it to a visitor. Codes: see `shared/app/src/error.rs`. */
  get text() {
    if (this.code === "spend_cap_reached") return "spent";
    if (this.status === 429 || this.code === "rate_limited") return this.wait === null ? "failed" : "limited";
    return { unreachable: "unreachable", stream_cut: "cut", producer_lost: "cut", upstream_truncated: "cut", unauthorized: "expired", origin_not_allowed: "closed", forbidden: "closed", not_found: "closed" }[this.code] ?? "failed";
  }
}

/** The problem that a refusing response tells (RFC 9457), whoever wrote its body. */
export async function problemOf(response) {
  const told = await response.json().catch(() => ({}));
  const wait = Number.parseInt(response.headers.get("retry-after"), 10);
  const requestId = told.requestId ?? response.headers.get("x-request-id") ?? "";
  return new Problem(String(told.code ?? `http_${response.status}`), {
    status: response.status, wait: wait >= 0 ? wait : null, requestId: String(requestId), detail: [told.detail, told.hint].filter(Boolean).join(" "),
  });
}
