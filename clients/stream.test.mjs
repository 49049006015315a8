// The console's own readers, without a browser: the stream with its required end, and the splitting of an answer into blocks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Problem } from "../public/console/api.mjs";
import { blocks } from "../public/console/prose.mjs";
import { events } from "../public/console/sse.mjs";
import { chunks, errorOf } from "../public/console/stream.mjs";

const STREAM = [": stream-open", "", ...[
  { type: "start", messageId: "m" },
  { type: "text-start", id: "t" },
  { type: "text-delta", id: "t", delta: "Fourteen days – “vierzehn” [1]" },
  { type: "text-end", id: "t" },
  { type: "finish", finishReason: "stop" },
].flatMap((chunk) => [`data: ${JSON.stringify(chunk)}`, ""]), "data: [DONE]", "", ""].join("\n");

function body(bytes, size = bytes.length || 1) {
  let from = 0;
  return new ReadableStream({
    pull(controller) {
      if (from >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(from, from + size));
      from += size;
    },
  });
}

async function all(stream) {
  const found = [];
  for await (const each of stream) found.push(each);
  return found;
}

test("a whole stream is read, in pieces of any size and with any line end", async () => {
  for (const text of [STREAM, STREAM.replaceAll("\n", "\r\n")]) {
    const bytes = new TextEncoder().encode(text);
    for (let size = 1; size <= bytes.length; size += 1) {
      const read = await all(chunks(body(bytes, size)));
      assert.deepEqual(read.map((chunk) => chunk.type), ["start", "text-start", "text-delta", "text-end", "finish"]);
      assert.equal(read[2].delta, "Fourteen days – “vierzehn” [1]");
    }
  }
});

test("a stream that is cut at any byte before its end is an error", async () => {
  const bytes = new TextEncoder().encode(STREAM);
  const finish = STREAM.indexOf('data: {"type":"finish"');
  const whole = new TextEncoder().encode(STREAM.slice(0, STREAM.indexOf("\n\n", finish) + 2)).length;
  for (let length = 0; length < whole; length += 1) {
    await assert.rejects(all(chunks(body(bytes.slice(0, length)))), (error) => error instanceof Problem && error.code === "stream_cut", `cut after ${length} bytes`);
  }
  assert.equal((await all(chunks(body(bytes.slice(0, whole))))).at(-1).type, "finish");
});

test("a stream that breaks while it is read is an error", async () => {
  const broken = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(STREAM.slice(0, 60)));
      controller.error(new TypeError("network error"));
    },
  });
  await assert.rejects(all(chunks(broken)), { code: "stream_cut" });
});

test("a chunk that is no JSON or has no type is an error", async () => {
  for (const data of ["{", "42", "null", '{"kind":"finish"}']) {
    await assert.rejects(all(chunks(body(new TextEncoder().encode(`data: ${data}\n\n`)))), { code: "stream_unreadable" });
  }
});

test("an error chunk and an abort chunk are ends", async () => {
  for (const type of ["error", "abort"]) {
    const read = await all(chunks(body(new TextEncoder().encode(`data: {"type":"${type}","errorText":"x"}\n\n`))));
    assert.equal(read.at(-1).type, type);
  }
  const { code, detail } = errorOf("provider_unavailable: The provider did not answer: 503.");
  assert.deepEqual({ code, detail }, { code: "provider_unavailable", detail: "The provider did not answer: 503." });
  assert.equal(errorOf("Something else").code, "failed");
});

test("events carry id, name, retry and joined data", async () => {
  const text = "retry: 1500\nid: 7\nevent: status\ndata: a\ndata:b\n\ndata: lost at the end";
  assert.deepEqual(await all(events(body(new TextEncoder().encode(text), 3))), [{ event: "status", id: "7", data: "a\nb", retry: 1500 }]);
});

test("an answer's text falls into blocks", () => {
  const kinds = (text) => blocks(text).map(({ kind, lines }) => [kind, ...lines]);
  assert.deepEqual(kinds("one\ntwo\n\nthree"), [["paragraph", "one", "two"], ["paragraph", "three"]]);
  assert.deepEqual(kinds("- a\n- b\n  more\n\n1. c\n2) d"), [["bullet-list", "a", "b more"], ["number-list", "c", "d"]]);
  assert.deepEqual(kinds("## head\n> said\n```js\n# no head\n\n- no list\n```\nend"), [["heading", "head"], ["quote", "said"], ["code", "# no head", "", "- no list"], ["paragraph", "end"]]);
  assert.deepEqual(kinds("``` \nstill open"), [["code", "still open"]]);
  assert.deepEqual(kinds("\n\n"), []);
});
