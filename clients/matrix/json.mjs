// The cases of plain HTTP: `POST /api/chat` with `"stream": false`, for callers that read no streams.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { EXPECTED, QUESTION } from "../fixtures.mjs";
import { ANSWER, BEGUN } from "../provider.mjs";
import { BROKEN, NOBODY } from "./chat-faults.mjs";
import { WHOLE, statuses, told } from "./openai.mjs";

export const CLIENT = "fetch, JSON";

export const CASES = [
  { name: "an answer in one piece", async run({ ask }) {
    const answer = await ask();
    assert.match(answer.text, new RegExp(EXPECTED.words));
    assert.deepEqual([answer.refused, answer.finishReason], [false, "stop"]);
    assert.ok(answer.messageId && answer.citations.length > 0);
  } },
  { name: "a model's words and verified citations", async run({ ask, bot }) {
    const { text, citations } = await ask({ bot: await bot("plain") });
    assert.equal(text, ANSWER);
    assert.deepEqual(citations.map(({ n, page, filename }) => [n, page, filename]), [[1, EXPECTED.page, EXPECTED.filename]]);
  } },
  { name: "a refusal", async run({ ask }) {
    const { text, refused, citations } = await ask({ question: "What does quantum chromodynamics predict about gluons?" });
    assert.deepEqual([text.length > 0, refused, citations], [true, true, []]);
  } },
  { name: "the server keeps the history", async run({ ask, bot }) {
    const [id, model] = [randomUUID(), await bot("turns")];
    assert.equal((await ask({ id, bot: model })).text, "You have asked 1 times.");
    assert.equal((await ask({ id, bot: model })).text, "You have asked 2 times.");
  } },
  { name: "a request that is sent again is answered once", async run({ ask, bot, asked }) {
    const wanted = { id: randomUUID(), message: randomUUID(), bot: await bot("count") };
    const before = (await asked("count")).times;
    const [first, again] = [await ask(wanted), await ask(wanted)];
    assert.deepEqual([again.messageId, again.text], [first.messageId, first.text]);
    assert.equal((await asked("count")).times, before + 1);
  } },
  { name: "the end is length", run: async ({ ask, bot }) => assert.equal((await ask({ bot: await bot("length") })).finishReason, "length") },
  { name: "the end is content-filter", run: async ({ ask, bot }) => assert.equal((await ask({ bot: await bot("filtered") })).finishReason, "content-filter") },
  { name: "400: a bot's id that is none", run: ({ refuses }) => refuses({ bot: "nobody" }, 400, "invalid_request") },
  { name: "401: a wrong token", run: ({ refuses }) => refuses({ token: "docent_sk_wrong" }, 401, "unauthorized") },
  { name: "403: a token that may not chat", run: async ({ refuses, world }) => refuses({ token: (await world.newToken("read")).token }, 403, "forbidden") },
  { name: "404: no such bot", run: ({ refuses }) => refuses({ bot: NOBODY }, 404, "not_found") },
  { name: "413: a question as long as a document", run: ({ refuses }) => refuses({ question: "x".repeat(17_000) }, 413, "too_large") },
  { name: "429: a token that has spent its cap", async run({ refuses, bot, world }) {
    await refuses({ bot: await bot("plain"), token: (await world.broke()).token }, 429, "spend_cap_reached");
  } },
  ...Object.entries({ ...statuses(), ...BROKEN }).map(([behaviour, code]) => ({
    name: `the provider ${told(behaviour)}`,
    async run({ refuses, bot, world }) {
      const id = randomUUID();
      await refuses({ id, bot: await bot(behaviour) }, WHOLE[code], code);
      const stored = (await world.stored(id)).at(-1);
      assert.deepEqual([stored.state, stored.errorCode, stored.text], ["error", code, behaviour in BROKEN ? BEGUN : ""]);
    },
  })),
];

export function tools(world) {
  const post = ({ id = randomUUID(), message: messageId, bot, question = QUESTION, token = world.token }) => {
    const message = { id: messageId, role: "user", parts: [{ type: "text", text: question }] };
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return fetch(`${world.url}/api/chat`, { method: "POST", headers, body: JSON.stringify({ id, bot, message, stream: false }) });
  };
  const ask = async (wanted = {}) => {
    const response = await post(wanted);
    const body = await response.json();
    assert.equal(response.status, 200, JSON.stringify(body));
    return body;
  };
  const refuses = async (wanted, status, code) => {
    const response = await post(wanted);
    const problem = await response.json();
    assert.deepEqual([response.status, problem.status, problem.code], [status, status, code]);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.ok(problem.hint && problem.requestId === response.headers.get("x-request-id"));
  };
  return { world, ask, refuses, bot: (behaviour) => world.bot(behaviour, CLIENT), asked: (behaviour) => world.asked(behaviour, CLIENT) };
}
