// The unmodified AI SDK, majors 6 and 7, against POST /api/chat: text, sources, the end, and that a cut answer is never taken for a whole one.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as ai6 from "ai6";
import * as ai7 from "ai7";
import { addDocument, api } from "./client.mjs";
import { DOCUMENTS, EXPECTED, QUESTION } from "./fixtures.mjs";
import { isMock, target } from "./target.mjs";

const cutBot = process.env.DOCENT_CUT_BOT;
let docent;
let document;

before(async () => {
  docent = await target({ pace: 8 });
  document = await addDocument(docent, DOCUMENTS[0]);
});
after(async () => {
  if (document) await api(docent)("DELETE", `/api/documents/${document.id}`);
  docent?.stop();
});

for (const [name, ai] of [["ai 6", ai6], ["ai 7", ai7]]) {
  describe(name, () => {
    test("an answer has text, sources with page and quote, and its end", async () => {
      const { chat, ended } = open(ai);
      await chat.sendMessage({ text: QUESTION });
      const answer = chat.lastMessage;
      assert.equal(chat.error, undefined);
      assert.equal(chat.status, "ready");
      assert.equal(answer.role, "assistant");
      assert.match(textOf(answer), new RegExp(EXPECTED.words));
      assert.match(textOf(answer), /\[\d+\]/, "the text carries markers");
      const sources = answer.parts.filter((part) => part.type === "source-document");
      const cited = sources.find((part) => part.filename === EXPECTED.filename && part.providerMetadata.docent.page === EXPECTED.page);
      assert.ok(cited, `one of ${sources.length} sources is ${EXPECTED.filename}, page ${EXPECTED.page}`);
      assert.match(cited.providerMetadata.docent.quote.replace(/\s+/g, " "), new RegExp(EXPECTED.words));
      const citations = answer.parts.find((part) => part.type === "data-citations");
      assert.ok(citations?.data.every(({ n }) => n >= 1 && n <= sources.length), "every citation points at a source");
      assert.deepEqual(ended(), [{ finishReason: "stop", isError: false, isDisconnect: false }]);
    });

    test("a second question goes out with the first one's answer", async () => {
      const { chat } = open(ai);
      await chat.sendMessage({ text: QUESTION });
      await chat.sendMessage({ text: "When does the fog signal sound?" });
      assert.equal(chat.error, undefined);
      assert.equal(chat.messages.length, 4);
    });

    test("a question beyond the documents is refused in words, with a code", async () => {
      const { chat } = open(ai);
      await chat.sendMessage({ text: "What does quantum chromodynamics predict about gluons?" });
      assert.equal(chat.error, undefined);
      assert.ok(textOf(chat.lastMessage).length > 0);
      assert.ok(chat.lastMessage.parts.find((part) => part.type === "data-refusal")?.data.code);
    });

    test("a wrong token is an error that says what to do", async () => {
      const { chat } = open(ai, { token: "docent_sk_wrong" });
      await chat.sendMessage({ text: QUESTION });
      assert.equal(chat.status, "error");
      const problem = JSON.parse(chat.error.message);
      assert.equal(problem.status, 401);
      assert.ok(problem.code && problem.detail && "hint" in problem);
    });

    test("a provider stream that is cut ends as an error, with the words that came", async () => {
      if (!isMock && !cutBot) return notRun(`${name}: a cut provider stream`, "DOCENT_CUT_BOT is unset; it names a bot whose provider breaks off");
      for (const bot of isMock ? ["bot_error", "bot_reset"] : [cutBot]) {
        const { chat } = open(ai, { bot });
        await chat.sendMessage({ text: QUESTION });
        assert.equal(chat.status, "error", `${bot} is told as an error`);
        assert.ok(textOf(chat.lastMessage).length > 0, `${bot} keeps the words that came`);
      }
    });

    test("the trap: a clean end without a terminal chunk looks whole to this client", async () => {
      if (!isMock) return notRun(`${name}: a clean end`, "only the mock ends a stream without a terminal chunk");
      const { chat } = open(ai, { bot: "bot_cut" });
      await chat.sendMessage({ text: QUESTION });
      assert.equal(chat.status, "ready", "when this fails the client has learnt to notice; the server's duty to say so stays");
    });
  });
}

/** A chat as a page would hold one: the SDK's own class and transport, with plain arrays for state. */
function open({ AbstractChat, DefaultChatTransport }, { bot, token = docent.token } = {}) {
  const endings = [];
  class Chat extends AbstractChat {
    constructor(init) {
      super({ ...init, state: plainState() });
    }
  }
  const transport = new DefaultChatTransport({ api: `${docent.url}/api/chat`, headers: { authorization: `Bearer ${token}` }, body: bot ? { bot } : {} });
  const onFinish = ({ finishReason, isError, isDisconnect }) => endings.push({ finishReason, isError, isDisconnect });
  return { chat: new Chat({ transport, onFinish }), ended: () => endings };
}

function plainState() {
  return {
    status: "ready",
    error: undefined,
    messages: [],
    pushMessage(message) { this.messages = [...this.messages, message]; },
    popMessage() { this.messages = this.messages.slice(0, -1); },
    replaceMessage(index, message) { this.messages = this.messages.with(index, message); },
    snapshot: (thing) => structuredClone(thing),
  };
}

function textOf(message) {
  return message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");
}

function notRun(what, why) {
  console.log(`not run: ${what}: ${why}`);
}
