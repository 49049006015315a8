// The queue consumer against a local ingest endpoint that checks the signature with another implementation of HMAC.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import worker, { RETRY, sign } from "./worker.mjs";

const SECRET = "a-secret-of-at-least-thirty-two-bytes";
const R2_EVENT = { account: "a", action: "PutObject", bucket: "documents", object: { key: "t/1/r%C3%A9sum%C3%A9.pdf", size: 5, eTag: "e" } };

test("acknowledges what was taken and retries what was named", async () => {
  const { outcomes, seen } = await run(["m1", "m2", "m3"], () => [200, { failed: ["m2"] }]);
  assert.deepEqual(outcomes, { m1: "ack", m2: RETRY.message, m3: "ack" });
  assert.deepEqual(seen.messages[0], { id: "m1", attempts: 1, body: R2_EVENT });
});

test("signs the time and the body", async () => {
  const expected = createHmac("sha256", SECRET).update("1700000000.{}").digest("hex");
  assert.equal(await sign("{}", SECRET, 1_700_000_000_999), `t=1700000000,v1=${expected}`);
});

test("retries the whole batch when the secret is wrong", async () => {
  const { outcomes } = await run(["m1", "m2"], () => [200, { failed: [] }], { secret: "another" });
  assert.deepEqual(outcomes, { all: RETRY.batch });
});

for (const [name, answer] of [
  ["is down", () => [503, { code: "unavailable" }]],
  ["answers something else", () => [200, { ok: true }]],
  ["sends the batch elsewhere", () => [307, {}, { location: "http://127.0.0.1:1/" }]],
]) {
  test(`retries the whole batch when ingest ${name}`, async () => {
    assert.deepEqual((await run(["m1"], answer)).outcomes, { all: RETRY.batch });
  });
}

test("retries the whole batch when nothing listens", async () => {
  assert.deepEqual(await outcomesOf(["m1"], { INGEST_URL: "http://127.0.0.1:1/api/ingest", INGEST_SECRET: SECRET }), { all: RETRY.batch });
});

async function run(ids, answer, { secret = SECRET } = {}) {
  let seen;
  const server = createServer(async (request, response) => {
    const body = (await request.toArray()).join("");
    seen = JSON.parse(body);
    const [status, reply, headers] = isSigned(request.headers["x-ingest-signature"], body) ? answer() : [401, {}];
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(reply));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const INGEST_URL = `http://127.0.0.1:${server.address().port}/api/ingest`;
    return { outcomes: await outcomesOf(ids, { INGEST_URL, INGEST_SECRET: secret }), seen };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function outcomesOf(ids, env) {
  const outcomes = {};
  const messages = ids.map((id) => ({
    id,
    attempts: 1,
    body: R2_EVENT,
    ack: () => (outcomes[id] = "ack"),
    retry: ({ delaySeconds }) => (outcomes[id] = delaySeconds),
  }));
  await worker.queue({ messages, retryAll: ({ delaySeconds }) => (outcomes.all = delaySeconds) }, env);
  return outcomes;
}

function isSigned(header, body) {
  const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  return mac === createHmac("sha256", SECRET).update(`${time}.${body}`).digest("hex");
}
