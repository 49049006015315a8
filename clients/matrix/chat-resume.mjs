// The AI SDK's chat when somebody leaves, stops, or comes back.
import assert from "node:assert/strict";
import { QUESTION } from "../fixtures.mjs";
import { SLOW } from "../provider.mjs";
import { answered, ask, failed, textOf, withChat, withHeld } from "./expect.mjs";
import { until } from "./world.mjs";

const RESUMABLE = { resumable: true };
const began = (state) => state.messages.length > 1 && /word3/.test(textOf(state));
/** What became of an answer that nobody waits for any more, or that was stopped. */
const endedAs = (code) => (stored) => assert.deepEqual([stored.at(-1).state, stored.at(-1).errorCode], ["interrupted", code]);
const left = endedAs("client_gone");
const stopped = endedAs("stopped");

export const resumes = [
  { name: "stop: the client is ready, keeps the words, and the provider is let go", on: ["real"], run: withChat({ bot: "long", own: true }, async (chat, world, client, whose) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    const state = await chat.stop();
    assert.equal(state.status, "ready");
    assert.ok(began(state));
    assert.equal(state.endings.at(-1).isAbort, true);
    await until(async () => (await world.asked("long", whose)).left > 0, () => "the provider was let go");
  }) },
  { name: "stop: what was said is stored, with an end", on: ["real"], run: withChat({ bot: "long" }, async (chat, world) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    const shown = textOf(await chat.stop());
    const stored = await world.stored(chat.id);
    left(stored);
    assert.ok(stored.at(-1).text.startsWith(shown), `${stored.at(-1).text} begins with ${shown}`);
  }) },
  { name: "the network breaks: an error, with the words, and an end in the history", on: ["real"], run: withChat({ bot: "long" }, async (chat, world, client) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    await chat.disconnect();
    const state = await chat.until(({ status, endings }) => status !== "streaming" && endings.length > 0, "the client noticed");
    failed(state, /./, textOf(state));
    assert.ok(began(state));
    assert.equal(state.endings[0].isDisconnect, client.knowsDisconnects);
    left(await world.stored(chat.id));
  }) },
  { name: "the network breaks: a page that is opened again has every word once", on: ["real"], run: withHeld(async (chat, { go, again }) => {
    await chat.disconnect();
    await chat.until(({ status }) => status === "error", "the client noticed");
    await again({ resume: true }, async (second) => complete(second, go));
  }) },
  { name: "the network breaks: the same chat resumes", on: ["real"], run: withHeld(async (chat, { go }, world, client) => {
    await chat.disconnect();
    const shown = textOf(await chat.until(({ status }) => status === "error", "the client noticed"));
    const state = await goesOn(chat, go);
    assert.equal(textOf(state), client.doublesReplays ? shown + SLOW : SLOW, client.doublesReplays ? "when this fails the client has learnt to replay" : "");
  }) },
  { name: "resume: nothing is live, and no message appears", on: ["real"], run: withChat({ body: RESUMABLE, resume: true }, async (chat) => {
    const state = await chat.resume();
    assert.deepEqual([state.status, state.error ?? null, state.messages], ["ready", null, []]);
  }) },
  { name: "resume: an answer that has ended is not told again", on: ["real"], run: withChat({ bot: "plain", body: RESUMABLE }, async (chat, world, client) => {
    answered(await chat.send(ask()));
    await withChat({ id: chat.id }, async (later) => assert.deepEqual((await later.resume()).messages, []))(client, world);
  }) },
  { name: "resume: a second page sees the same words while they come", on: ["real"], run: withHeld(async (chat, { go, again }) => {
    await again({ resume: true }, async (second) => complete(second, go));
    assert.equal(textOf(answered(await chat.until(({ status }) => status === "ready", "the first page had it, too"))), SLOW);
  }) },
  { name: "resume: the page that asked was left, and its successor has every word once", on: ["real"], run: withHeld(async (chat, { go, again }, world) => {
    await chat.stop();
    await again({ resume: true }, async (second) => complete(second, go));
    const [asked, answer] = await world.stored(chat.id);
    assert.deepEqual([asked.text, answer.state, answer.text], [QUESTION, "complete", SLOW]);
  }) },
  { name: "resume: the same chat goes on where it was left", on: ["real"], run: withHeld(async (chat, { go }) => {
    await chat.stop();
    assert.equal(textOf(await goesOn(chat, go)), SLOW);
  }) },
  { name: "stop by the server: the client is ready, with the words", on: ["real"], run: withChat({ bot: "long", own: true, body: RESUMABLE }, async (chat, world, client, whose) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    await world.stopAnswer(chat.id);
    const state = await chat.until(({ status }) => status !== "streaming", "the answer stopped");
    assert.deepEqual([state.status, state.error ?? null], ["ready", null]);
    assert.ok(began(state));
    const stored = await world.stored(chat.id);
    stopped(stored);
    assert.equal(stored.at(-1).text, textOf(state), "what is stored is what was shown");
    await until(async () => (await world.asked("long", whose)).left > 0, () => "the provider was let go");
  }) },
  { name: "stop by the server: nothing is live, and nothing happens", on: ["real"], run: withChat({ bot: "plain", body: RESUMABLE }, async (chat, world) => {
    answered(await chat.send(ask()));
    await assert.rejects(world.stopAnswer(chat.id), /409 .*nothing_to_stop/);
    assert.equal((await world.stored(chat.id)).at(-1).state, "complete");
  }) },
  { name: "regenerate: a resumable answer is made anew, and resumed", on: ["real"], run: withHeld(async (chat, { go, again }, world) => {
    await go();
    const [first] = (await chat.until(({ status }) => status === "ready", "the first answer had come")).messages.slice(-1);
    const second = answered(await chat.regenerate()).messages.at(-1);
    assert.notEqual(second.id, first.id);
    await again({}, async (later) => assert.deepEqual((await later.resume()).messages, []));
    assert.deepEqual((await world.stored(chat.id)).map(({ id, state }) => [id === second.id, state]), [[false, "complete"], [true, "complete"]]);
  }) },
];

/** A page that resumes a held answer shows its first half, and then all of it. */
async function complete(page, go) {
  await page.until(({ messages }) => messages.length > 0 && /word9/.test(textOf({ messages })), "the first half was there");
  await go();
  assert.equal(textOf(answered(await page.until(({ status }) => status === "ready", "the answer was whole"))), SLOW);
}

/** The chat that asked resumes a held answer: it becomes whole in its place. */
async function goesOn(chat, go) {
  const resumed = chat.resume();
  await chat.until(({ status }) => status === "streaming", "the chat had found its answer again");
  await go();
  const state = answered(await resumed);
  assert.equal(state.messages.length, 2);
  return state;
}
