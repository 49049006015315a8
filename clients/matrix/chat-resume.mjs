// The AI SDK's chat when somebody leaves, stops, or comes back.
import assert from "node:assert/strict";
import { SLOW } from "../provider.mjs";
import { answered, ask, failed, textOf, withChat } from "./expect.mjs";
import { until } from "./world.mjs";

const RESUMABLE = { resumable: true };
const began = (state) => state.messages.length > 1 && /word3/.test(textOf(state));
/** What became of an answer that nobody waits for any more, or that was stopped. */
const endedAs = (code) => (stored) => assert.deepEqual([stored.at(-1).state, stored.at(-1).errorCode], ["interrupted", code]);
const left = endedAs("client_gone");
const stopped = endedAs("stopped");

export const resumes = [
  { name: "stop: the client is ready, keeps the words, and the provider is let go", on: ["real"], run: withChat({ bot: "long" }, async (chat, world, client) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    const state = await chat.stop();
    assert.equal(state.status, "ready");
    assert.ok(began(state));
    assert.equal(state.endings.at(-1).isAbort, true);
    await until(async () => (await world.asked("long", client.name)).left > 0, () => "the provider was let go");
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
  { name: "the network breaks: the same chat resumes, with every word once", on: ["real"], run: withChat({ bot: "slow", body: RESUMABLE }, async (chat) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    await chat.disconnect();
    await chat.until(({ status }) => status === "error", "the client noticed");
    const state = await chat.resume();
    assert.equal(textOf(answered(state)), SLOW);
    assert.equal(state.messages.length, 2);
  }) },
  { name: "resume: nothing is live, and no message appears", on: ["real"], run: withChat({ body: RESUMABLE, resume: true }, async (chat) => {
    const state = await chat.resume();
    assert.deepEqual([state.status, state.error ?? null, state.messages], ["ready", null, []]);
  }) },
  { name: "resume: an answer that has ended is not told again", on: ["real"], run: withChat({ bot: "plain", body: RESUMABLE }, async (chat, world, client) => {
    answered(await chat.send(ask()));
    await withChat({ id: chat.id }, async (later) => assert.deepEqual((await later.resume()).messages, []))(client, world);
  }) },
  { name: "resume: a second page sees the same words while they come", on: ["real"], run: withChat({ bot: "slow", body: RESUMABLE }, async (chat, world, client) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    await withChat({ id: chat.id, resume: true }, async (second) => {
      const state = await second.until(({ status, messages }) => status === "ready" && messages.length > 0, "the second page had the answer");
      assert.equal(textOf(answered(state)), SLOW);
    })(client, world);
    assert.equal(textOf(answered(await chat.until(({ status }) => status === "ready", "the first page had it, too"))), SLOW);
  }) },
  { name: "resume: the page that asked was left, and its successor has every word once", on: ["real"], run: withChat({ bot: "slow", body: RESUMABLE }, async (chat, world, client) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    await chat.stop();
    await withChat({ id: chat.id }, async (second) => assert.equal(textOf(answered(await second.resume())), SLOW))(client, world);
    assert.deepEqual((await world.stored(chat.id)).map(({ state, text }) => [state, text.slice(0, 5)]), [["complete", ask().text.slice(0, 5)], ["complete", "word0"]]);
  }) },
  { name: "resume: the same chat goes on where it was left", on: ["real"], run: withChat({ bot: "slow", body: RESUMABLE }, async (chat) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    await chat.stop();
    const state = await chat.resume();
    assert.equal(textOf(answered(state)), SLOW);
    assert.equal(state.messages.length, 2);
  }) },
  { name: "stop by the server: the client is ready, with the words", on: ["real"], run: withChat({ bot: "long", body: RESUMABLE }, async (chat, world, client) => {
    await chat.begin(ask());
    await chat.until(began, "words came");
    await world.stopAnswer(chat.id);
    const state = await chat.until(({ status }) => status !== "streaming", "the answer stopped");
    assert.deepEqual([state.status, state.error ?? null], ["ready", null]);
    assert.ok(began(state));
    const stored = await world.stored(chat.id);
    stopped(stored);
    assert.equal(stored.at(-1).text, textOf(state), "what is stored is what was shown");
    await until(async () => (await world.asked("long", client.name)).left > 0, () => "the provider was let go");
  }) },
  { name: "stop by the server: nothing is live, and nothing happens", on: ["real"], run: withChat({ bot: "plain", body: RESUMABLE }, async (chat, world) => {
    answered(await chat.send(ask()));
    await world.stopAnswer(chat.id);
    assert.equal((await world.stored(chat.id)).at(-1).state, "complete");
  }) },
  { name: "regenerate: a resumable answer, and the new one is resumed", on: ["real"], run: withChat({ bot: "slow", body: RESUMABLE }, async (chat, world, client) => {
    await chat.begin(ask());
    await chat.until(({ status }) => status === "ready", "the first answer had come");
    const again = chat.regenerate();
    await chat.until((state) => state.status === "streaming" && began(state), "the second came");
    await withChat({ id: chat.id }, async (second) => assert.equal(textOf(answered(await second.resume())), SLOW))(client, world);
    answered(await again);
  }) },
];
