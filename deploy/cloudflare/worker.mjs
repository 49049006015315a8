// Carries R2's event notifications from their queue to /api/ingest, signed: R2 cannot call a URL by itself.

/** Seconds until the queue delivers again: after a refusal of one message, and after no answer at all. */
export const RETRY = { message: 60, batch: 30 };
/** An ingest request is answered well within this; a queue consumer may run for 15 minutes. */
export const TIMEOUT_MS = 120_000;

export default {
  async queue(batch, env) {
    const messages = batch.messages.map(({ id, attempts, body }) => ({ id, attempts, body }));
    const failed = await deliver(JSON.stringify({ messages }), env);
    if (!failed) return batch.retryAll({ delaySeconds: RETRY.batch });
    for (const message of batch.messages) {
      if (failed.has(message.id)) message.retry({ delaySeconds: RETRY.message });
      else message.ack();
    }
  },
};

/** The ids that ingest wants again, or null when nothing can be said about any message. */
async function deliver(body, env) {
  try {
    const response = await fetch(env.INGEST_URL, {
      method: "POST",
      headers: { "content-type": "application/json", "x-ingest-signature": await sign(body, env.INGEST_SECRET) },
      body,
      redirect: "error", // a signed body goes to the address that was configured, nowhere else
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`ingest answered ${response.status}`);
    const { failed } = await response.json();
    if (!Array.isArray(failed)) throw new Error("ingest answered without a list of failures");
    return new Set(failed);
  } catch (error) {
    console.error(JSON.stringify({ event: "ingest.batch_failed", error: String(error) }));
    return null;
  }
}

/** `t=<unix seconds>,v1=<hex of HMAC-SHA256(secret, "<t>.<body>")>`: the time is signed too, so that nothing can be replayed later. */
export async function sign(body, secret, now = Date.now()) {
  const time = Math.floor(now / 1000);
  const text = new TextEncoder();
  const key = await crypto.subtle.importKey("raw", text.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, text.encode(`${time}.${body}`));
  const hex = Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `t=${time},v1=${hex}`;
}
