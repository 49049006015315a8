// The AI SDK's chat on a site of another origin, where a browser lets a page read only what the server opens to it.
import assert from "node:assert/strict";
import { EXPECTED } from "../fixtures.mjs";
import { answered, ask, refused, textOf, withChat } from "./expect.mjs";

/** A visitor talks to the one bot that the page's token names. */
const visiting = (run) => (client, world) => withChat({ publishable: (origin) => world.publishable(origin) }, run)(client, world);

export const visitors = [
  { name: "another origin: a visitor is answered, with sources", run: visiting(async (chat) => {
    const state = answered(await chat.send(ask()));
    assert.match(textOf(state), new RegExp(EXPECTED.words));
    assert.ok(state.messages.at(-1).parts.some(({ type }) => type === "source-document"));
  }) },
  { name: "another origin: a refusal can be read", run: visiting(async (chat) => refused(await chat.send(ask("x".repeat(17_000))), 413, "too_large")) },
  { name: "another origin: nothing to resume is no error", run: visiting(async (chat) => {
    const state = await chat.resume();
    assert.deepEqual([state.status, state.error ?? null, state.messages], ["ready", null, []]);
  }) },
].map((each) => ({ ...each, on: ["real"], browser: true }));
