// What the cases of the AI SDK's chat say over and over: how a chat is opened, and what a success and a failure are.
import assert from "node:assert/strict";
import { QUESTION } from "../fixtures.mjs";

export const ask = (text = QUESTION) => ({ text });

let alone = 0;

/** Runs `run(chat, world, client, whose)` on a chat with these options. `bot` names a behaviour; the model behind it is the client's, or the case's `own`. */
export function withChat({ bot, own, body, ...options }, run) {
  return async (client, world) => {
    const whose = own ? `${client.name} ${(alone += 1)}` : client.name;
    const chosen = bot && { bot: await world.bot(bot, whose) };
    const chat = await client.open({ ...options, body: { ...chosen, ...body } });
    try {
      await run(chat, world, client, whose);
    } finally {
      await chat.close();
    }
  };
}

/** The same with a resumable answer of which half has come: `go()` lets the other half come, `again` opens the chat once more. */
export function withHeld(run) {
  return withChat({ bot: "held", own: true, body: { resumable: true } }, async (chat, world, client, whose) => {
    await chat.begin(ask());
    await chat.until(({ status, messages }) => status === "streaming" && /word9/.test(textOf({ messages })), "half of the answer came");
    const again = (options, use) => withChat({ id: chat.id, ...options }, use)(client, world);
    await run(chat, { go: () => world.release(whose), again }, world, client);
  });
}

/** A success: nothing says otherwise. Answers the state. */
export function answered(state, finishReason = "stop") {
  assert.equal(state.error ?? null, null);
  assert.equal(state.status, "ready");
  assert.equal(state.messages.at(-1).role, "assistant");
  assert.deepEqual(state.endings.at(-1), { finishReason, isAbort: false, isDisconnect: false, isError: false });
  return state;
}

/** A failure: the client shows an error that names `code`, no request ended well, and the words that came are there. */
export function failed(state, code, text = "") {
  assert.equal(state.status, "error");
  assert.match(state.error.message, code);
  assert.doesNotMatch(state.error.message, /sk-provider-secret/, "no word of the provider's");
  assert.ok(state.endings.every(({ isError, finishReason }) => isError && finishReason === undefined), JSON.stringify(state.endings));
  const last = state.messages.at(-1);
  assert.equal(last.role === "assistant" ? textOf(state) : "", text);
  return state;
}

/** A refusal before the stream: the whole problem is the error's message. */
export function refused(state, status, code) {
  failed(state, /^\{/);
  const problem = JSON.parse(state.error.message);
  assert.deepEqual([problem.status, problem.code], [status, code]);
  assert.ok(problem.detail && problem.hint && problem.requestId, state.error.message);
}

export function textOf({ messages }) {
  return messages.at(-1).parts.filter(({ type }) => type === "text").map(({ text }) => text).join("");
}
