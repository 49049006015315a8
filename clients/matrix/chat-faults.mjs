// The AI SDK's chat when something fails: before the stream by a status, and in it by a word. Never is it shown as success.
import assert from "node:assert/strict";
import { BEGUN } from "../provider.mjs";
import { answered, ask, failed, refused, textOf, withChat } from "./expect.mjs";

export const NOBODY = "00000000-0000-7000-8000-000000000000";
const FILE = { type: "file", mediaType: "text/plain", filename: "notes.txt", url: "data:text/plain;base64,bm90ZXM=" };

/** What a provider answers instead of a stream, and the code that the client reads. */
export const PROVIDER = { 400: "provider_rejected", 401: "provider_auth", 403: "provider_auth", 404: "provider_rejected", 413: "provider_rejected", 429: "provider_rate_limited", 500: "provider_unavailable", 503: "provider_unavailable" };
/** How a provider's stream may end without having ended. */
export const BROKEN = { cut: "upstream_truncated", short: "upstream_truncated", unfinished: "upstream_truncated", unreasoned: "upstream_truncated", fault: "provider_unavailable", garbage: "provider_protocol" };

export const faults = [
  { name: "400: a bot's id that is none", on: ["real"], run: withChat({ body: { bot: "nobody" } }, refuses(400, "invalid_request")) },
  { name: "401: a wrong token", on: ["mock", "real"], run: withChat({ token: "docent_sk_wrong" }, async (chat) => {
    const state = failed(await chat.send(ask()), /"status":401/);
    assert.ok("hint" in JSON.parse(state.error.message));
  }) },
  { name: "403: a token that may not chat", on: ["real"], run: async (client, world) => {
    const { token } = await world.newToken("read");
    await withChat({ token }, refuses(403, "forbidden"))(client, world);
  } },
  { name: "404: no such bot", on: ["real"], run: withChat({ body: { bot: NOBODY } }, refuses(404, "not_found")) },
  { name: "413: a file inside the message", on: ["real"], run: withChat({}, async (chat) => {
    refused(await chat.send({ text: "Read this.", files: [FILE] }), 413, "too_large");
  }) },
  { name: "413: a question as long as a document", on: ["real"], run: withChat({}, async (chat) => {
    refused(await chat.send(ask("x".repeat(17_000))), 413, "too_large");
  }) },
  { name: "429: a token that has spent its cap", on: ["real"], run: async (client, world) => {
    const { token } = await world.broke();
    await withChat({ token, bot: "plain" }, refuses(429, "spend_cap_reached"))(client, world);
  } },
  ...[500, 503].map((status) => ({ name: `${status}: Docent itself`, on: ["mock"], run: withChat({ bot: `status-${status}` }, refuses(status, "mocked")) })),
  { name: "504: a page of the platform's", on: ["mock"], run: withChat({ bot: "page-504" }, async (chat) => void failed(await chat.send(ask()), /FUNCTION_INVOCATION_TIMEOUT/)) },
  { name: "the network: a stream that breaks", on: ["mock"], run: withChat({ bot: "reset" }, async (chat) => {
    const state = await chat.send(ask());
    assert.equal(state.status, "error");
    assert.ok(textOf(state).length > 0, "the words that came stay");
    assert.ok(state.endings.every(({ isError }) => isError));
  }) },
  { name: "an error in mid-stream", on: ["mock"], run: withChat({ bot: "error" }, async (chat) => {
    const state = await chat.send(ask());
    failed(state, /^upstream_truncated: /, textOf(state));
    assert.ok(textOf(state).length > 0, "the words that came stay");
  }) },
  { name: "the trap: a clean end without a terminal chunk looks whole, so the server must never send one", on: ["mock"], run: withChat({ bot: "cut" }, async (chat) => {
    assert.equal((await chat.send(ask())).status, "ready", "when this fails the client has learnt to notice; the server's duty stays");
  }) },
  ...Object.entries(PROVIDER).map(([status, code]) => ({
    name: `the provider says ${status}`,
    on: ["real"],
    run: withChat({ bot: `status-${status}` }, fails(code)),
  })),
  ...Object.entries(BROKEN).map(([behaviour, code]) => ({
    name: `the provider's stream is ${behaviour}`,
    on: ["real"],
    run: withChat({ bot: behaviour }, fails(code, BEGUN)),
  })),
  { name: "the question after a failure is answered", on: ["real"], run: withChat({ bot: "cut" }, async (chat, world, client) => {
    failed(await chat.send(ask()), /^upstream_truncated: /, BEGUN);
    await withChat({ id: chat.id }, async (again) => void answered(await again.send(ask())))(client, world);
  }) },
  { name: "a provider that says nothing is an error, and stored as one", on: ["real"], run: withChat({ bot: "empty" }, fails("provider_empty")) },
];

function refuses(status, code) {
  return async (chat) => refused(await chat.send(ask()), status, code);
}

/** An error chunk that names the code, the words before it, and the same in the history. */
function fails(code, text = "") {
  return async (chat, world) => {
    failed(await chat.send(ask()), new RegExp(`^${code}: `), text);
    const stored = (await world.stored(chat.id)).at(-1);
    assert.deepEqual([stored.state, stored.text, stored.errorCode], ["error", text, code]);
  };
}
