// The cases of OpenAI's SDK for Node against /v1; `openai_cases.py` holds the same for Python.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { EXPECTED, QUESTION } from "../fixtures.mjs";
import { ANSWER, BEGUN } from "../provider.mjs";
import { BROKEN, PROVIDER } from "./chat-faults.mjs";
import { until } from "./world.mjs";

export const CLIENT = "openai for Node";
const messages = [{ role: "user", content: QUESTION }];
const words = new RegExp(EXPECTED.words);

/** HTTP statuses of what a provider's failure becomes where the answer is one piece. */
export const WHOLE = { provider_rejected: 422, provider_auth: 422, provider_rate_limited: 429, provider_unavailable: 502, upstream_truncated: 502, provider_protocol: 502 };

const CLASSES = { 400: OpenAI.BadRequestError, 401: OpenAI.AuthenticationError, 403: OpenAI.PermissionDeniedError, 404: OpenAI.NotFoundError, 422: OpenAI.UnprocessableEntityError, 429: OpenAI.RateLimitError, 502: OpenAI.InternalServerError };

export const CASES = [
  { name: "completion: words, citations and usage", async run({ create }) {
    const completion = await create({ model: "default", messages });
    const [{ message, finish_reason }] = completion.choices;
    assert.match(message.content, words);
    assert.equal(finish_reason, "stop");
    const { start_index, end_index, title } = message.annotations[0].url_citation;
    assert.match([...message.content].slice(start_index, end_index).join(""), /^\[\d\]$/);
    assert.equal(title, EXPECTED.filename);
    assert.ok(message.content.includes(message.citations[0].quote.replace(/\s+/g, " ")), "the quote is the document's");
    assert.equal(typeof completion.usage.total_tokens, "number");
  } },
  { name: "completion: a model's words and verified citations", async run({ create, bot }) {
    const { message } = (await create({ model: await bot("plain"), messages })).choices[0];
    assert.equal(message.content, ANSWER);
    assert.deepEqual(message.citations.map(({ n, page }) => [n, page]), [[1, EXPECTED.page]]);
  } },
  { name: "completion: a question in parts", async run({ create }) {
    const content = [{ type: "text", text: QUESTION }];
    assert.match((await create({ model: "default", messages: [{ role: "user", content }] })).choices[0].message.content, words);
  } },
  { name: "completion: what was said before reaches the model", async run({ create, bot }) {
    const said = [...messages, { role: "assistant", content: "Every fourteen days." }, ...messages];
    assert.equal((await create({ model: await bot("turns"), messages: said })).choices[0].message.content, "You have asked 2 times.");
  } },
  { name: "completion: refused in words, without citations", async run({ create }) {
    const [{ message, finish_reason }] = (await create({ model: "default", messages: [{ role: "user", content: "What does quantum chromodynamics predict about gluons?" }] })).choices;
    assert.ok(message.content.length > 0);
    assert.deepEqual([finish_reason, message.citations], ["stop", []]);
  } },
  ...["length", "filtered"].flatMap((behaviour) => {
    const reason = { length: "length", filtered: "content_filter" }[behaviour];
    return [
      { name: `completion: the end is ${reason}`, async run({ create, bot }) {
        assert.equal((await create({ model: await bot(behaviour), messages })).choices[0].finish_reason, reason);
      } },
      { name: `stream: the end is ${reason}`, async run({ stream, bot }) {
        assert.equal((await stream({ model: await bot(behaviour), messages })).reason, reason);
      } },
    ];
  }),
  { name: "stream: role, words, end, and no usage unasked", async run({ stream, bot }) {
    const { chunks, text, reason } = await stream({ model: await bot("plain"), messages });
    assert.equal(text, ANSWER);
    assert.equal(reason, "stop");
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    assert.equal(new Set(chunks.map(({ id, created, model }) => `${id} ${created} ${model}`)).size, 1);
    assert.ok(chunks.every(({ usage }) => usage === undefined));
    assert.ok(chunks.length > 10, "words come one by one");
    assert.ok(chunks.some(({ choices }) => choices[0].delta.citations?.[0].page === EXPECTED.page));
  } },
  { name: "stream: usage where it is asked for", async run({ stream }) {
    const { chunks } = await stream({ model: "default", messages, stream_options: { include_usage: true } });
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.equal(typeof chunks.at(-1).usage.total_tokens, "number");
    assert.ok(chunks.slice(0, -1).every(({ usage }) => usage === null));
  } },
  { name: "stream: the SDK's own accumulator", async run({ openai, bot }) {
    let deltas = "";
    const stream = openai.chat.completions.stream({ model: await bot("plain"), messages }).on("content", (delta) => (deltas += delta));
    const { message } = (await stream.finalChatCompletion()).choices[0];
    assert.deepEqual([message.content, deltas], [ANSWER, ANSWER]);
  } },
  { name: "stream: who leaves lets the provider go", async run({ openai, bot, asked }) {
    const stream = await openai.chat.completions.create({ model: await bot("long"), messages, stream: true });
    let text = "";
    for await (const { choices } of stream) if (/word3/.test((text += choices[0]?.delta.content ?? ""))) stream.controller.abort();
    await until(async () => (await asked("long")).left > 0, () => "the provider was let go");
  } },
  { name: "models: bots, by name and one by one", async run({ openai, bot }) {
    await bot("plain");
    const models = [];
    for await (const model of openai.models.list()) models.push(model.id);
    assert.ok(models.includes(`plain/${CLIENT}`), models.join());
    assert.equal((await openai.models.retrieve(models[0])).object, "model");
    await rejects(openai.models.retrieve("nobody"), 404, "not_found");
  } },
  { name: "models: a bot is asked by its name", async run({ create, bot }) {
    await bot("plain");
    assert.equal((await create({ model: `plain/${CLIENT}`, messages })).choices[0].message.content, ANSWER);
  } },
  { name: "response: words, citations and status", async run({ openai, bot }) {
    const response = await openai.responses.create({ model: await bot("plain"), input: QUESTION });
    assert.deepEqual([response.status, response.output_text], ["completed", ANSWER]);
    assert.equal(response.output[0].content[0].annotations[0].title, EXPECTED.filename);
  } },
  { name: "response: streamed, through the SDK's accumulator", async run({ openai, bot }) {
    let deltas = "";
    const stream = openai.responses.stream({ model: await bot("plain"), input: QUESTION }).on("response.output_text.delta", ({ delta }) => (deltas += delta));
    const response = await stream.finalResponse();
    assert.deepEqual([deltas, response.output[0].content[0].text, response.status], [ANSWER, ANSWER, "completed"]);
  } },
  { name: "response: one behind the other", async run({ openai, bot }) {
    const model = await bot("turns");
    const first = await openai.responses.create({ model, input: QUESTION });
    const second = await openai.responses.create({ model, input: QUESTION, previous_response_id: first.id });
    assert.deepEqual([first.output_text, second.output_text, second.previous_response_id], ["You have asked 1 times.", "You have asked 2 times.", first.id]);
    await rejects(openai.responses.create({ model, input: QUESTION, previous_response_id: "resp_0" }), 404, "not_found");
  } },
  { name: "response: the end is incomplete", async run({ openai, bot }) {
    const response = await openai.responses.create({ model: await bot("length"), input: QUESTION });
    assert.deepEqual([response.status, response.incomplete_details.reason], ["incomplete", "max_output_tokens"]);
  } },
  { name: "response: a provider that breaks off is no response", async run({ openai, bot }) {
    const [model, seen] = [await bot("cut"), []];
    await assert.rejects(async () => {
      for await (const event of await openai.responses.create({ model, input: QUESTION, stream: true })) seen.push(event.type);
    }, OpenAI.APIError);
    assert.ok(seen.includes("response.failed") && !seen.includes("response.completed"), seen.join(" "));
    await rejects(openai.responses.create({ model, input: QUESTION }), 502, "upstream_truncated");
  } },
  { name: "400: no message", run: ({ create }) => rejects(create({ model: "default", messages: [] }), 400, "invalid_request") },
  { name: "401: a wrong token", run: ({ as }) => rejects(as("docent_sk_wrong").chat.completions.create({ model: "default", messages }), 401, "unauthorized") },
  { name: "403: a token that may not chat", async run({ as, world }) {
    const { token } = await world.newToken("read");
    await rejects(as(token).chat.completions.create({ model: "default", messages }), 403, "forbidden");
  } },
  { name: "404: no such model", run: ({ create }) => rejects(create({ model: "nobody", messages }), 404, "not_found") },
  { name: "404: no such model, streamed", run: ({ stream }) => rejects(stream({ model: "nobody", messages }), 404, "not_found") },
  { name: "413: a question as long as a document", run: ({ create }) => rejects(create({ model: "default", messages: [{ role: "user", content: "x".repeat(17_000) }] }), 413, "too_large") },
  { name: "429: a token that has spent its cap", async run({ as, bot, world }) {
    const { token } = await world.broke();
    await rejects(as(token).chat.completions.create({ model: await bot("plain"), messages }), 429, "spend_cap_reached");
  } },
  ...Object.entries({ ...statuses(), ...BROKEN }).flatMap(([behaviour, code]) => [
    { name: `whole: the provider ${told(behaviour)}`, run: async ({ create, bot }) => rejects(create({ model: await bot(behaviour), messages }), WHOLE[code], code) },
    { name: `streamed: the provider ${told(behaviour)}`, async run({ stream, bot }) {
      const told = {};
      await assert.rejects(stream({ model: await bot(behaviour), messages }, told), (error) => error instanceof OpenAI.APIError && error.code === code);
      assert.equal(told.text, behaviour in BROKEN ? BEGUN : "");
      assert.equal(told.reason, null, "no reason to take it for finished");
    } },
  ]),
];

/** What each case is given. */
export function tools(world) {
  const as = (apiKey) => new OpenAI({ baseURL: `${world.url}/v1`, apiKey, maxRetries: 0 });
  const openai = as(world.token);
  const create = (wanted) => openai.chat.completions.create(wanted);
  /** Reads a stream to its end; `told` holds what came when it fails. */
  const stream = async (wanted, told = {}) => {
    Object.assign(told, { chunks: [], text: "", reason: null });
    for await (const chunk of await create({ ...wanted, stream: true })) {
      told.chunks.push(chunk);
      told.text += chunk.choices[0]?.delta.content ?? "";
      told.reason = chunk.choices[0]?.finish_reason ?? told.reason;
    }
    return told;
  };
  return { world, as, openai, create, stream, bot: (behaviour) => world.bot(behaviour, CLIENT), asked: (behaviour) => world.asked(behaviour, CLIENT) };
}

export function statuses() {
  return Object.fromEntries(Object.entries(PROVIDER).map(([status, code]) => [`status-${status}`, code]));
}

export function told(behaviour) {
  return behaviour.startsWith("status-") ? `says ${behaviour.slice("status-".length)}` : `is ${behaviour}`;
}

async function rejects(asked, status, code) {
  await assert.rejects(asked, (error) => {
    assert.deepEqual([error.status, error.code], [status, code]);
    assert.ok(error instanceof (CLASSES[status] ?? OpenAI.APIError), error.constructor.name);
    assert.match(error.message, /\S+ .*\./, "a sentence that says what happened");
    assert.doesNotMatch(error.message, /sk-provider-secret/);
    assert.ok(error.requestID, "a request id");
    return true;
  });
}
