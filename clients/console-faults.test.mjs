// What the console does when something fails: every failure is a sentence with a next step, and nothing typed is lost.
// Faults are put between the page and the server, so that they are the same ones against the mock and the real system.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addAndSettle, ask, assertAccessible, launch, openConsole, removeAll } from "./browser.mjs";
import { DOCUMENTS } from "./fixtures.mjs";
import { target } from "./target.mjs";

const START = [{ type: "start", messageId: "m1", messageMetadata: { requestId: "req_1", answerer: "test" } }, { type: "text-start", id: "t" }];
const said = (delta) => ({ type: "text-delta", id: "t", delta });
const sse = (...chunks) => chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
const stream = (body) => ({ status: 200, contentType: "text/event-stream", body });
const problem = (status, code, detail, hint) => ({ status, contentType: "application/problem+json", body: JSON.stringify({ type: "about:blank", title: code, status, code, detail, hint, requestId: "req_9" }) });
let docent;
let browser;

before(async () => {
  docent = await target({ pace: 20 });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  docent?.stop();
});

async function withChat(answer, walk) {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  await page.route("**/api/chat", (route) => (answer === "abort" ? route.abort() : route.fulfill(answer)));
  await walk(page);
  await guard();
}

for (const [name, answer, sentence, kept] of [
  ["a stream that ends without its end", stream(sse(...START, said("Half of an"))), "The answer broke off before its end.", "Half of an"],
  ["a stream that ends before its first word", stream(sse(START[0])), "The answer broke off before its end.", ""],
  ["an error chunk", stream(sse(...START, said("Half of an"), { type: "error", errorText: "provider_unavailable: The provider did not answer." })), "The provider did not answer.", "Half of an"],
  ["a stream that is no UI message stream", stream("data: <html>\n\n"), "The answer arrived in a form that the console cannot read.", ""],
  ["a problem", problem(429, "rate_limited", "The tenant's questions of this minute are used up", "Wait 20 seconds and ask again"), "The tenant's questions of this minute are used up. Wait 20 seconds and ask again.", ""],
  ["an error page without a problem", { status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" }, "The server answered 502 without an explanation.", ""],
  ["a broken connection", "abort", "Docent could not be reached.", ""],
]) {
  test(`${name} is shown as an error, and the question stays`, () => withChat(answer, async (page) => {
    const shown = await ask(page, "Who signs the log?");
    await shown.locator(".notice.bad").waitFor();
    assert.ok((await shown.locator(".notice.bad").innerText()).includes(sentence));
    assert.equal((await shown.locator(".prose").innerText()).trim(), kept);
    assert.equal(await page.inputValue("#question"), kept ? "" : "Who signs the log?");
    assert.ok((await page.locator(".question").innerText()).includes("Who signs the log?"));
    await assertAccessible(page, name);

    await page.unroute("**/api/chat");
    await page.route("**/api/chat", (route) => route.fulfill(stream(sse(...START, said("Whole."), { type: "finish", finishReason: "stop" }))));
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(".answer .answer-facts").waitFor();
    assert.equal(await page.locator(".answer").count(), 1, "the new answer takes the failed one's place");
    assert.equal(await page.inputValue("#question"), "");
  }));
}

test("a half answer is not sent back as history, a whole one is", () => withChat(stream(sse(...START, said("Half"))), async (page) => {
  await (await ask(page, "First?")).locator(".notice.bad").waitFor();
  const sent = [];
  await page.unroute("**/api/chat");
  await page.route("**/api/chat", (route) => {
    sent.push(route.request().postDataJSON().messages.map(({ role, parts }) => `${role}: ${parts[0].text}`));
    return route.fulfill(stream(sse(...START, said("Whole."), { type: "finish", finishReason: "stop" })));
  });
  await (await ask(page, "Second?")).locator(".answer-facts").waitFor();
  await (await ask(page, "Third?")).locator(".answer-facts").waitFor();
  assert.deepEqual(sent, [["user: Second?"], ["user: Second?", "assistant: Whole.", "user: Third?"]]);
}));

test("markup in an answer, a source or a file name stays text", async () => {
  const evil = '<img src=x onerror="globalThis.owned=1"> [link](javascript:alert(1)) ![p](//evil.example/p)';
  const source = { type: "source-document", sourceId: "s", mediaType: "text/plain", title: evil, filename: evil, providerMetadata: { docent: { documentId: "d", page: null, pageLast: null, ordinal: 0, quote: evil, span: [0, 1], score: 1 } } };
  await withChat(stream(sse(START[0], source, START[1], said(`${evil} [1] [2] **bold** \`code\``), { type: "data-citations", data: [{ n: 1, sourceId: "s", page: null, quote: evil }, { n: 9, sourceId: "none", page: 1, quote: "x" }] }, { type: "finish", finishReason: "stop" })), async (page) => {
    const shown = await ask(page, evil);
    await shown.locator(".answer-facts").waitFor();
    await shown.locator(".cite").click();
    assert.equal(await shown.locator(".cite").count(), 1, "a marker without a source is no button");
    assert.ok((await page.locator("#source .quote").innerText()).includes("<img"));
    assert.equal(await page.locator("#thread img, #source img, #thread a").count(), 0);
    assert.equal(await page.evaluate(() => globalThis.owned), undefined);
  });
});

test("a token that expires asks for a new one and keeps the conversation and the draft", () => withChat(problem(401, "token_revoked", "This token was revoked", "Ask for a new one"), async (page) => {
  await page.fill("#question", "Is this kept?");
  await page.press("#question", "Enter");
  await page.getByText("This token is no longer accepted.").waitFor();
  await assertAccessible(page, "the card after a token expired");
  await page.fill("#token", docent.token);
  await page.press("#token", "Enter");
  await page.locator("#desk").waitFor();
  assert.equal(await page.inputValue("#question"), "Is this kept?");
  assert.ok((await page.locator(".question").innerText()).includes("Is this kept?"));
}));

test("a draft survives a reload", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.fill("#question", "Half a thought");
  await page.reload();
  await page.locator("#desk").waitFor();
  assert.equal(await page.inputValue("#question"), "Half a thought");
  await guard();
});

test("an answer can be stopped, and the words that came stay", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  await page.route("**/api/chat", () => {});
  await ask(page, "Will this end?");
  await page.click("#stop");
  await page.getByText("Stopped.").waitFor();
  assert.ok(await page.locator("#send").isVisible());
  await guard();
});

test("without an event stream the document's states are polled", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.route("**/api/documents/*/events", (route) => route.fulfill({ status: 503, body: "" }));
  const [row] = await addAndSettle(page, [DOCUMENTS[1]]);
  assert.equal(await row.getAttribute("data-status"), "ready");
  await page.unroute("**/api/documents/*/events");
  await removeAll(page, [DOCUMENTS[1].name]);
  await guard();
});

test("a refused upload is told in its row and can be tried again", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.route("**/api/upload", (route) => route.fulfill(problem(503, "busy", "Uploads pause for a moment", "Try again in a minute")));
  const [row] = await addAndSettle(page, [DOCUMENTS[1]]);
  assert.equal(await row.locator(".document-problem").innerText(), "Uploads pause for a moment. Try again in a minute.");
  await assertAccessible(page, "a refused upload");
  await page.unroute("**/api/upload");
  await row.getByRole("button", { name: "Try again" }).click();
  await row.and(page.locator('[data-status="ready"]')).waitFor({ timeout: 60_000 });
  await removeAll(page, [DOCUMENTS[1].name]);
  await guard();
});

test("a document that failed in an earlier visit can be tried again without its file", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  const error = { code: "provider_timeout", message: "The provider took too long", hint: "Try again" };
  const failed = { id: "0190a1b2-0000-7000-8000-000000000001", filename: "slow.txt", size: 5, status: "failed", progress: { done: 0, total: 0 }, chunks: 0, pages: null, error };
  const fulfill = (status, value) => ({ status, contentType: "application/json", body: JSON.stringify(value) });
  await page.route("**/api/documents?*", (route) => route.fulfill(fulfill(200, { documents: [failed], nextCursor: null })));
  await page.route(`**/api/documents/${failed.id}/redrive`, (route) => route.fulfill(fulfill(202, { ...failed, status: "queued", error: null })));
  const ready = { ...failed, status: "ready", chunks: 1, error: null };
  await page.route(`**/api/documents/${failed.id}/events`, (route) => route.fulfill(stream(`id: 1\nevent: status\ndata: ${JSON.stringify(ready)}\n\n`)));
  await page.reload();
  const row = page.locator(".document", { hasText: "slow.txt" });
  await row.getByRole("button", { name: "Try again" }).click();
  await row.and(page.locator('[data-status="ready"]')).waitFor();
  assert.equal(await row.locator(".document-problem").innerText(), "");
  await guard();
});

test("a deletion asks first; keeping keeps", async () => {
  const { page, guard } = await openConsole(browser, docent);
  const [row] = await addAndSettle(page, [DOCUMENTS[2]]);
  await row.locator(".remove").click();
  await assertAccessible(page, "the question before a deletion");
  await page.click('#ask-first [value="keep"]');
  assert.equal(await row.count(), 1);
  await removeAll(page, [DOCUMENTS[2].name]);
  await guard();
});
