// The cases of `@ai-sdk/openai-compatible`, with which a server of the AI SDK speaks to /v1 as to a model.
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai7";
import { EXPECTED, QUESTION } from "../fixtures.mjs";
import { ANSWER, BEGUN } from "../provider.mjs";
import { BROKEN } from "./chat-faults.mjs";
import { WHOLE, statuses, told } from "./openai.mjs";
import { until } from "./world.mjs";

export const CLIENT = "@ai-sdk/openai-compatible";
const NOBODY = "nobody";

export const CASES = [
  { name: "generateText: words and end", async run({ generate }) {
    const { text, finishReason } = await generate("default");
    assert.match(text, new RegExp(EXPECTED.words));
    assert.equal(finishReason, "stop");
  } },
  { name: "generateText: a model's words", run: async ({ generate, bot }) => assert.equal((await generate(await bot("plain"))).text, ANSWER) },
  { name: "generateText: what was said before reaches the model", async run({ generate, bot }) {
    const user = { role: "user", content: QUESTION };
    assert.equal((await generate(await bot("turns"), { messages: [user, { role: "assistant", content: "Yes." }, user] })).text, "You have asked 2 times.");
  } },
  { name: "generateText: the end is length", run: async ({ generate, bot }) => assert.equal((await generate(await bot("length"))).finishReason, "length") },
  { name: "generateText: the end is content-filter", run: async ({ generate, bot }) => assert.equal((await generate(await bot("filtered"))).finishReason, "content-filter") },
  { name: "streamText: words, end and usage", async run({ stream, bot }) {
    const { text, reason, usage, errors } = await stream(await bot("plain"));
    assert.deepEqual([text, reason, errors], [ANSWER, "stop", []]);
    assert.equal(typeof usage.totalTokens, "number");
  } },
  { name: "streamText: the end is length", run: async ({ stream, bot }) => assert.equal((await stream(await bot("length"))).reason, "length") },
  { name: "streamText: who leaves lets the provider go", async run({ model, bot, asked }) {
    const leave = new AbortController();
    let text = "";
    const { textStream } = streamText({ model: model(await bot("long")), prompt: QUESTION, abortSignal: leave.signal, maxRetries: 0, onError() {} });
    for await (const delta of textStream) if (/word3/.test((text += delta))) leave.abort();
    await until(async () => (await asked("long")).left > 0, () => "the provider was let go");
  } },
  { name: "400: no question", run: ({ generate }) => rejects(generate("default", { messages: [{ role: "assistant", content: "x" }] }), 400, "invalid_request") },
  { name: "401: a wrong token", run: ({ generate }) => rejects(generate("default", {}, "docent_sk_wrong"), 401, "unauthorized") },
  { name: "403: a token that may not chat", async run({ generate, world }) {
    await rejects(generate("default", {}, (await world.newToken("read")).token), 403, "forbidden");
  } },
  { name: "404: no such model", run: ({ generate }) => rejects(generate(NOBODY), 404, "not_found") },
  { name: "404: no such model, streamed", async run({ stream }) {
    const { reason, errors } = await stream(NOBODY);
    assert.deepEqual([reason, errors[0]?.statusCode], [null, 404]);
  } },
  { name: "413: a question as long as a document", run: ({ generate }) => rejects(generate("default", { prompt: "x".repeat(17_000) }), 413, "too_large") },
  { name: "429: a token that has spent its cap", async run({ generate, bot, world }) {
    await rejects(generate(await bot("plain"), {}, (await world.broke()).token), 429, "spend_cap_reached");
  } },
  ...Object.entries({ ...statuses(), ...BROKEN }).flatMap(([behaviour, code]) => [
    { name: `generateText: the provider ${told(behaviour)}`, run: async ({ generate, bot }) => rejects(generate(await bot(behaviour)), WHOLE[code], code) },
    { name: `streamText: the provider ${told(behaviour)}`, async run({ stream, bot }) {
      const { text, reason, errors } = await stream(await bot(behaviour));
      assert.equal(text, behaviour in BROKEN ? BEGUN : "");
      assert.equal(reason, "error");
      assert.match(JSON.stringify(errors.map((error) => error.message ?? error)), new RegExp(code));
    } },
  ]),
];

export function tools(world) {
  const model = (name, apiKey = world.token) => createOpenAICompatible({ name: "docent", baseURL: `${world.url}/v1`, apiKey, includeUsage: true })(name);
  const asked = (name, more, apiKey) => ({ model: model(name, apiKey), maxRetries: 0, ...(more.messages ? {} : { prompt: QUESTION }), ...more });
  const generate = (name, more = {}, apiKey) => generateText(asked(name, more, apiKey));
  /** Reads a stream to its end, as a page that shows it would. */
  const stream = async (name) => {
    const told = { text: "", reason: null, usage: null, errors: [] };
    for await (const part of streamText({ ...asked(name, {}), onError() {} }).fullStream) {
      if (part.type === "text-delta") told.text += part.text;
      if (part.type === "error") told.errors.push(part.error);
      if (part.type === "finish") [told.reason, told.usage] = [part.finishReason, part.totalUsage];
    }
    return told;
  };
  return { world, model, generate, stream, bot: (behaviour) => world.bot(behaviour, CLIENT), asked: (behaviour) => world.asked(behaviour, CLIENT) };
}

async function rejects(asked, status, code) {
  await assert.rejects(asked, (error) => {
    assert.equal(error.statusCode, status);
    assert.equal(JSON.parse(error.responseBody).error.code, code);
    assert.doesNotMatch(error.message, /sk-provider-secret/);
    return true;
  });
}
