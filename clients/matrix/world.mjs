// What every case of the matrix stands on: a system with one document, bots that misbehave by name, and what was stored.
import { addDocument, api } from "../client.mjs";
import { DOCUMENTS } from "../fixtures.mjs";
import { isMock, target } from "../target.mjs";

const PATIENCE_MS = 15_000;

export async function world() {
  const docent = await target({ pace: 8 });
  const call = api(docent);
  const document = await addDocument(docent, DOCUMENTS[0]);
  const made = [];

  /** The id of a bot whose model does what its name says, one for each client: the breaker counts a model's failures. */
  const bots = new Map();
  const bot = (behaviour, client) => {
    if (isMock) return `bot_${behaviour}`;
    const model = `${behaviour}/${client}`;
    if (!bots.has(model)) bots.set(model, make("/api/bots", { name: model, provider: "scripted", model }).then(({ id }) => id));
    return bots.get(model);
  };

  const make = async (path, wanted) => {
    const thing = await call("POST", path, wanted);
    made.push(`${path}/${thing.id}`);
    return thing;
  };

  const newToken = (...scopes) => make("/api/tokens", { name: "matrix", scopes });

  return {
    ...docent,
    document,
    bot,
    /** A token with these scopes alone. */
    newToken,
    /** A token that pages of this origin may show. */
    publishable: (origin, bot) => make("/api/tokens", { name: "matrix", publishable: true, origins: [origin], bot }),
    /** A token that has nothing left to spend. */
    async broke() {
      const token = await newToken("chat");
      await call("PUT", "/api/usage/caps", { caps: { [`token:${token.id}`]: "0" } });
      return token;
    },
    /** How often a bot's model was asked, and by how many who went away before its end. */
    asked: async (behaviour, client) => (await fetch(`${process.env.DOCENT_PROVIDER}/asked/${behaviour}/${encodeURIComponent(client)}`)).json(),
    /** Lets a held answer go on. */
    release: (client) => fetch(`${process.env.DOCENT_PROVIDER}/release/held/${encodeURIComponent(client)}`),
    /** The messages of a conversation, once none is being written any more. */
    stored: (id) => until(async () => {
      const { messages } = await call("GET", `/api/conversations/${encodeURIComponent(id)}`);
      return messages.every(({ state }) => state !== "streaming") && messages;
    }, () => `the conversation ${id} has an end`),
    stopAnswer: (id) => call("POST", `/api/chat/${encodeURIComponent(id)}/stop`, {}),
    /** Deletes the bots and tokens that one client needed: a tenant may have a hundred. */
    async sweep() {
      bots.clear();
      for (const path of made.splice(0)) await call("DELETE", path);
    },
    async close() {
      await call("DELETE", `/api/documents/${document.id}`);
      docent.stop();
    },
  };
}

/** Waits until `look` answers something; `what` says what was waited for. */
export async function until(look, what) {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms until ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Reads what a page shows until it shows the same twice: React draws a moment after the chat has ended. */
export async function settled(read) {
  let before;
  return until(async () => {
    const now = await read();
    const same = JSON.stringify(now) === JSON.stringify(before);
    before = now;
    return same && !["submitted", "streaming"].includes(now.status) && now;
  }, () => "the page stood still");
}
