// The unmodified OpenAI SDKs (Node and Python) and the AI SDK's OpenAI-compatible provider against /v1: text, citations, models, errors, and that a cut answer is never taken for a whole one.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai7";
import OpenAI from "openai";
import { addDocument, api } from "./client.mjs";
import { isMock } from "./target.mjs";

const { DOCENT_URL: url, DOCENT_TOKEN: token, DOCENT_CUT_BOT: cutBot, DOCENT_PYTHON: python } = process.env;
const skip = isMock ? "needs DOCENT_URL: the mock does not speak /v1" : false;
const messages = [{ role: "user", content: "How many days may the keeper of Fastnet wait for the boat?" }];
let openai, document;

before(async () => {
  if (isMock) return;
  openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0 });
  const text = "# Fastnet\n\nThe keeper of Fastnet may wait fourteen days for the boat before the reserve is opened.\n";
  document = await addDocument({ url, token }, { name: "fastnet.md", mimeType: "text/markdown", buffer: Buffer.from(text) });
});

after(async () => {
  if (document) await api({ url, token })("DELETE", `/api/documents/${document.id}`);
});

test("openai: a whole completion with its citations", { skip }, async () => {
  const completion = await openai.chat.completions.create({ model: "default", messages });
  const [choice] = completion.choices;
  assert.match(choice.message.content, /fourteen days/);
  assert.equal(choice.finish_reason, "stop");
  const { start_index, end_index, title } = choice.message.annotations[0].url_citation;
  assert.equal([...choice.message.content].slice(start_index, end_index).join(""), "[1]");
  assert.equal(title, "fastnet.md");
  assert.match(choice.message.citations[0].quote, /fourteen days/);
  assert.equal(typeof completion.usage.total_tokens, "number");
});

test("openai: a streamed completion, also through the SDK's own accumulator", { skip }, async () => {
  const stream = openai.chat.completions.stream({ model: "default", messages, stream_options: { include_usage: true } });
  let deltas = "";
  stream.on("content", (delta) => (deltas += delta));
  const whole = await stream.finalChatCompletion();
  assert.match(whole.choices[0].message.content, /fourteen days/);
  assert.equal(deltas, whole.choices[0].message.content);
  assert.equal(typeof whole.usage.total_tokens, "number");
});

test("openai: bots are models", { skip }, async () => {
  const models = [];
  for await (const model of openai.models.list()) models.push(model.id);
  assert.ok(models.length > 0);
  assert.equal((await openai.models.retrieve(models[0])).object, "model");
});

test("openai: refusals have the SDK's own types", { skip }, async () => {
  const wrong = (key) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  await assert.rejects(wrong("docent_sk_nobody").chat.completions.create({ model: "default", messages }), OpenAI.AuthenticationError);
  await assert.rejects(openai.chat.completions.create({ model: "nobody", messages }), OpenAI.NotFoundError);
  await assert.rejects(openai.chat.completions.create({ model: "default", messages: [] }), OpenAI.BadRequestError);
  const long = [{ role: "user", content: "x".repeat(17_000) }];
  await assert.rejects(openai.chat.completions.create({ model: "default", messages: long }), (error) => error.status === 413 && error.code === "too_large");
});

test("openai: a provider's cut answer is an error, streamed or whole", { skip: skip || (cutBot ? false : "needs DOCENT_CUT_BOT") }, async () => {
  await assert.rejects(async () => {
    for await (const chunk of await openai.chat.completions.create({ model: cutBot, messages, stream: true })) assert.ok(chunk);
  }, OpenAI.APIError);
  await assert.rejects(openai.chat.completions.create({ model: cutBot, messages }), OpenAI.InternalServerError);
});

test("@ai-sdk/openai-compatible: text, stream and error", { skip }, async () => {
  const docent = createOpenAICompatible({ name: "docent", baseURL: `${url}/v1`, apiKey: token, includeUsage: true });
  const whole = await generateText({ model: docent("default"), messages, maxRetries: 0 });
  assert.match(whole.text, /fourteen days/);
  const streamed = streamText({ model: docent("default"), messages, maxRetries: 0 });
  assert.equal(await streamed.text, whole.text);
  assert.equal(await streamed.finishReason, "stop");
  await assert.rejects(generateText({ model: docent("nobody"), messages, maxRetries: 0 }), (error) => error.statusCode === 404);
});

const noPython = skip || (python ? false : "needs DOCENT_PYTHON: an interpreter with the package openai");
test("openai for Python: text, stream, citations, errors", { skip: noPython }, () => {
  const run = spawnSync(python, [new URL("openai_client.py", import.meta.url).pathname], { encoding: "utf8", timeout: 60_000 });
  assert.equal(run.status, 0, run.stdout + run.stderr);
});


test("openai: responses, whole, streamed and one behind the other", { skip }, async () => {
  const [{ content: input }] = messages;
  const first = await openai.responses.create({ model: "default", input });
  assert.equal(first.status, "completed");
  assert.match(first.output_text, /fourteen days/);
  assert.equal(first.output[0].content[0].annotations[0].title, "fastnet.md");
  const stream = openai.responses.stream({ model: "default", input, previous_response_id: first.id });
  let deltas = "";
  stream.on("response.output_text.delta", ({ delta }) => (deltas += delta));
  const second = await stream.finalResponse();
  assert.equal(second.output_text ?? second.output[0].content[0].text, deltas);
  assert.equal(second.previous_response_id, first.id);
  await assert.rejects(openai.responses.create({ model: "default", input, previous_response_id: "resp_0" }), OpenAI.NotFoundError);
});

test("openai: a response that a provider cut is not completed", { skip: skip || (cutBot ? false : "needs DOCENT_CUT_BOT") }, async () => {
  const seen = [];
  await assert.rejects(async () => {
    for await (const event of await openai.responses.create({ model: cutBot, input: messages[0].content, stream: true })) seen.push(event.type);
    throw new Error(`it ended with ${seen.at(-1)}`);
  });
  assert.ok(!seen.includes("response.completed"), seen.join(" "));
});
