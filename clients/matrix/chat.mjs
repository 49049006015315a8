// The cases of the AI SDK's chat, the same for every major, in Node and in the browser.
import assert from "node:assert/strict";
import { EXPECTED, QUESTION } from "../fixtures.mjs";
import { ANSWER } from "../provider.mjs";
import { faults } from "./chat-faults.mjs";
import { resumes } from "./chat-resume.mjs";
import { visitors } from "./chat-visitor.mjs";
import { answered, ask, textOf, withChat } from "./expect.mjs";

const BOTH = ["mock", "real"];

/** `run(client, world)`; `on` says where the case can be had; some need a `browser`. */
export const CASES = [
  { name: "answer: words, markers and the end", on: BOTH, run: withChat({}, async (chat) => {
    const state = answered(await chat.send(ask()));
    assert.match(textOf(state), new RegExp(EXPECTED.words));
    assert.match(textOf(state), /\[\d+\]/);
  }) },
  { name: "answer: sources with page and quote, and citations that point at them", on: BOTH, run: withChat({}, async (chat) => {
    const parts = answered(await chat.send(ask())).messages.at(-1).parts;
    const sources = parts.filter(({ type }) => type === "source-document");
    const place = sources.find(({ filename, providerMetadata }) => filename === EXPECTED.filename && providerMetadata.docent.page === EXPECTED.page)?.providerMetadata.docent;
    assert.match(place?.quote.replace(/\s+/g, " ") ?? "", new RegExp(EXPECTED.words));
    const citations = parts.find(({ type }) => type === "data-citations").data;
    assert.ok(citations.length > 0);
    assert.ok(citations.every(({ n, sourceId }) => sources[n - 1].sourceId === sourceId));
  }) },
  { name: "answer: a second question in the same chat", on: BOTH, run: withChat({}, async (chat) => {
    await chat.send(ask());
    const state = await chat.send(ask("When does the fog signal sound?"));
    assert.equal(state.endings.length, 2);
    assert.deepEqual(answered(state).messages.map(({ role }) => role), ["user", "assistant", "user", "assistant"]);
  }) },
  { name: "answer: the last message alone is enough", on: BOTH, run: withChat({ shape: "last" }, async (chat) => {
    assert.match(textOf(answered(await chat.send(ask()))), new RegExp(EXPECTED.words));
  }) },
  { name: "refusal: words and a code, and no error", on: BOTH, run: withChat({}, async (chat) => {
    const state = answered(await chat.send(ask("What does quantum chromodynamics predict about gluons?")));
    assert.ok(textOf(state).length > 0);
    assert.ok(state.messages.at(-1).parts.find(({ type }) => type === "data-refusal").data.code);
  }) },
  { name: "a model: its words, with citations that were verified, and stored so", on: ["real"], run: withChat({ bot: "plain" }, async (chat, world) => {
    const state = answered(await chat.send(ask()));
    assert.equal(textOf(state), ANSWER);
    const [citation] = state.messages.at(-1).parts.find(({ type }) => type === "data-citations").data;
    assert.deepEqual([citation.n, citation.page, citation.filename], [1, EXPECTED.page, EXPECTED.filename]);
    assert.match(citation.quote.replace(/\s+/g, " "), new RegExp(EXPECTED.words));
    const [asked, answer] = await world.stored(chat.id);
    assert.deepEqual([asked.text, answer.text, answer.state, answer.citations.length], [QUESTION, ANSWER, "complete", 1]);
  }) },
  { name: "history: all messages are sent, the model is asked with the server's", on: ["real"], run: withChat({ bot: "turns" }, history) },
  { name: "history: one message is sent, the model is asked with the server's", on: ["real"], run: withChat({ bot: "turns", shape: "last" }, history) },
  { name: "regenerate: another answer takes the place of the last", on: ["real"], run: withChat({ bot: "count" }, regenerated) },
  { name: "regenerate: by the last message alone", on: ["real"], run: withChat({ bot: "count", shape: "last" }, regenerated) },
  { name: "an answer at its token limit says so", on: ["real"], run: withChat({ bot: "length" }, async (chat) => answered(await chat.send(ask()), "length")) },
  { name: "a filtered answer says so", on: ["real"], run: withChat({ bot: "filtered" }, async (chat) => answered(await chat.send(ask()), "content-filter")) },
  ...faults,
  ...resumes,
  ...visitors,
];

async function history(chat) {
  assert.equal(textOf(answered(await chat.send(ask()))), "You have asked 1 times.");
  assert.equal(textOf(answered(await chat.send(ask()))), "You have asked 2 times.");
}

async function regenerated(chat, world) {
  const first = textOf(answered(await chat.send(ask())));
  const second = textOf(answered(await chat.regenerate()));
  const state = answered(await chat.regenerate());
  assert.equal(new Set([first, second, textOf(state)]).size, 3, "each is asked for anew");
  assert.equal(state.messages.length, 2);
  const stored = await world.stored(chat.id);
  assert.deepEqual(stored.map(({ role, state }) => [role, state]), [["user", "complete"], ["assistant", "complete"]]);
  assert.equal(stored[1].text, textOf(state));
}
