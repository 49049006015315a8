// What the console's pages do when something fails, and with what people paste into them: a sentence, a next step, and nothing typed is lost.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, assertAccessible, launch, openConsole, SCREENS } from "./browser.mjs";
import { api } from "./client.mjs";
import { target } from "./target.mjs";

const problem = (status, code, detail, hint, headers = {}) => ({ status, contentType: "application/problem+json", headers, body: JSON.stringify({ type: "about:blank", title: code, status, code, detail, hint, requestId: "req_9" }) });
const HOSTILE = "<img src=x onerror=owned=1> \u202egnp.\u2066exe " + "w".repeat(300);
const MOST_BYTES = 50 * 1024 * 1024;
let docent;
let browser;
let call;

before(async () => {
  docent = await target({ pace: 20 });
  call = api(docent);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  docent?.stop();
});

async function at(hash, options) {
  const { page, guard } = await openConsole(browser, docent, options);
  await page.locator("#desk").waitFor();
  await page.evaluate((to) => (location.hash = to), hash);
  return { page, guard };
}

test("a session that ends while a form is filled in asks for a token, and the form is as it was", async () => {
  const { id } = await call("POST", "/api/bots", { name: "Night desk" });
  const { page, guard } = await at(`#/bots/${id}`);
  const greeting = page.locator('[data-field="greeting"] textarea');
  await greeting.fill("A long greeting that nobody wants to type twice");
  await page.route(`**/api/bots/${id}`, (route) => (route.request().method() === "PATCH" ? route.fulfill(problem(401, "unauthorized", "This token was revoked.", "Ask for a new one.")) : route.continue()));
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("This token is no longer accepted.").waitFor();
  await page.unroute(`**/api/bots/${id}`);
  await page.fill("#token", docent.token);
  await page.press("#token", "Enter");
  await greeting.waitFor();
  assert.equal(await greeting.inputValue(), "A long greeting that nobody wants to type twice");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator(".save-bar").getByText("Saved", { exact: true }).waitFor();
  await call("DELETE", `/api/bots/${id}`);
  await guard();
});

test("a token without the scope is told so, and what to use instead", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.route("**/api/keys", (route) => route.fulfill(problem(403, "forbidden", "This needs the scope `admin`.", "Use a token that has the scope for this.")));
  await page.evaluate(() => (location.hash = "#/keys"));
  await page.getByText("This needs the scope `admin`. Use a token that has the scope for this.").waitFor();
  await assertAccessible(page, "a page without the scope");
  await page.unroute("**/api/keys");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".empty, article.item").first().waitFor();
  await guard();
});

test("a publishable token cannot sign in, and the card says which one can", async () => {
  const { page, guard } = await openConsole(browser, docent, { signedIn: false });
  await page.fill("#token", "docent_pk_something");
  await page.press("#token", "Enter");
  await page.getByText("Paste a secret one, which starts with docent_sk_.").waitFor();
  await guard();
});

for (const [name, where, path, begin] of [
  ["a question", "#/", "**/api/chat", (page) => ask(page, "Who signs the log?")],
  ["a search", "#/search", "**/api/search", (page) => page.getByLabel("What to look for").fill("log").then(() => page.getByLabel("What to look for").press("Enter"))],
]) {
  test(`${name} that comes too soon counts down to the moment when it may be tried again`, async () => {
    const { page, guard } = await at(where);
    await page.route(path, (route) => route.fulfill(problem(429, "rate_limited", "Too many requests come with this token.", "Wait as long as Retry-After says, then go slower.", { "retry-after": "2" })));
    await begin(page);
    const again = page.locator(".notice.bad button");
    await page.locator(".notice.bad button", { hasText: /Try again in [12] s/ }).waitFor();
    assert.ok(await again.isDisabled());
    await assertAccessible(page, "a countdown");
    await page.unroute(path);
    await page.locator(".notice.bad button:enabled", { hasText: /^Try again$/ }).click();
    await page.locator(".answer-facts, .hits, .empty").first().waitFor({ timeout: 60_000 });
    assert.equal(await page.locator(".notice.bad").count(), 0);
    await guard();
  });
}

test("a file that is too large is refused before a byte of it is sent", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  const sent = [];
  page.on("request", (request) => request.method() === "PUT" && sent.push(request.url()));
  await page.evaluate((size) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([new Uint8Array(size)], "plans.pdf", { type: "application/pdf" }));
    document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, MOST_BYTES + 1);
  const row = page.locator(".document", { hasText: "plans.pdf" });
  await row.and(page.locator('[data-status="failed"]')).waitFor();
  assert.match(await row.locator(".document-problem").innerText(), /The file has 52428801 bytes; the limit is \d+ bytes\. Split the document/);
  assert.deepEqual(sent, []);
  await guard();
});

test("ten thousand pasted words stay, are counted, and are not sent", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  const sent = [];
  page.on("request", (request) => request.url().endsWith("/api/chat") && sent.push(request));
  const words = Array.from({ length: 10_000 }, (_, at) => `word${at}`).join(" ");
  await page.fill("#question", words);
  await page.press("#question", "Enter");
  await page.getByText(/This is 88,889 bytes long; a question has at most 16,000\. Shorten it, or add it as a document/).waitFor();
  assert.equal(await page.inputValue("#question"), words);
  assert.deepEqual(sent, []);
  await assertAccessible(page, "a question that is too long");
  await page.fill("#question", "é".repeat(8000));
  assert.equal(await page.locator("#question-problem").innerText(), "");
  await page.fill("#question", "é".repeat(8001));
  assert.match(await page.locator("#question-problem").innerText(), /16,002 bytes/);
  await page.fill("#question", "");
  assert.equal(await page.locator("#question-problem").innerText(), "");
  await guard();
});

test("pasted markup is asked as the text that it is", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  const html = '<b onclick="owned=1">Who</b> signs <script>owned=1</script> the log?';
  await page.focus("#question");
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData("text/html", text);
    data.setData("text/plain", text);
    const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
    if (document.activeElement.dispatchEvent(event)) document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
  }, html);
  await page.press("#question", "Enter");
  await page.locator(".answer-facts").waitFor({ timeout: 60_000 });
  assert.ok((await page.locator(".question").innerText()).includes(html));
  assert.equal(await page.locator("#thread script, #thread b").count(), 0);
  assert.equal(await page.evaluate(() => globalThis.owned), undefined);
  await guard();
});

test("hostile names and titles stay text, in their own direction, and break no page", async () => {
  const { page, guard } = await openConsole(browser, docent, { screen: SCREENS.phone });
  const now = new Date().toISOString();
  const fulfill = (value) => ({ status: 200, contentType: "application/json", body: JSON.stringify(value) });
  const bot = { id: "0190a1b2-0000-7000-8000-000000000001", name: HOSTILE, provider: "extractive", model: "", greeting: HOSTILE, isDefault: true };
  const stored = { id: "0190a1b2-0000-7000-8000-000000000002", filename: HOSTILE, title: HOSTILE, size: 5, status: "failed", progress: { done: 0, total: 0 }, chunks: 0, pages: null, metadata: { a: HOSTILE }, createdAt: now, updatedAt: now, error: { code: "corrupt", message: HOSTILE, hint: "Save it again" } };
  const token = { id: "t", name: HOSTILE, kind: "secret", last4: "abcd", scopes: ["read"], origins: [HOSTILE], bot: null, expiresAt: null, lastUsedAt: null, createdAt: now };
  const hit = { documentId: stored.id, ordinal: 0, filename: HOSTILE, title: null, page: null, pageLast: null, headingPath: [HOSTILE], quote: HOSTILE, score: 0.1, bm25: 1, cosine: null, coverage: 1, ranks: { bm25: 1, cosine: null } };
  await page.route("**/api/bots", (route) => route.fulfill(fulfill({ bots: [bot] })));
  await page.route("**/api/tokens", (route) => route.fulfill(fulfill({ tokens: [token] })));
  await page.route("**/api/conversations?*", (route) => route.fulfill(fulfill({ conversations: [{ id: HOSTILE, title: HOSTILE, createdAt: now, updatedAt: now }], nextCursor: null })));
  await page.route(`**/api/documents/${stored.id}`, (route) => route.fulfill(fulfill(stored)));
  await page.route(`**/api/documents/${stored.id}/versions`, (route) => route.fulfill(fulfill({ versions: [] })));
  await page.route("**/api/search", (route) => route.fulfill(fulfill({ hits: [hit], explain: { terms: [HOSTILE], model: HOSTILE, collections: [], metadata: HOSTILE, reranked: false, rerankError: null, milliseconds: { embed: 1, search: 1, rerank: 0 } } })));
  for (const hash of ["#/bots", "#/tokens", "#/conversations", `#/documents/${stored.id}`, "#/search"]) {
    await page.evaluate((to) => (location.hash = to), hash);
    await page.locator(".page:visible").waitFor();
    if (hash === "#/search") await page.getByLabel("What to look for").fill("x").then(() => page.getByLabel("What to look for").press("Enter"));
    await page.locator(".page:visible", { hasText: "<img src=x" }).waitFor();
    assert.equal(await page.locator(".page img").count(), 0);
    assert.ok(!(await page.locator(".page:visible :is(h2, h3)").allInnerTexts()).some((text) => /[\u202a-\u202e\u2066-\u2069]/.test(text)), "no name turns itself around");
    assert.ok(await page.evaluate(() => document.querySelector("#pages").scrollWidth <= innerWidth), `${hash} is wider than the screen`);
    await assertAccessible(page, `${hash} with hostile names`);
  }
  assert.equal(await page.evaluate(() => globalThis.owned), undefined);
  await guard();
});

test("a browser that stores nothing signs in, asks and fills in forms all the same", async () => {
  const { page, guard } = await openConsole(browser, docent, { init: () => {
    for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(globalThis, name, { get: () => { throw new DOMException("denied", "SecurityError"); } });
  } });
  await page.locator("#guide h3").waitFor();
  await page.click("#theme");
  await page.fill("#question", "Is it still here?");
  for (const room of ["usage", "bots"]) {
    await page.evaluate((to) => (location.hash = `#/${to}`), room);
    await page.locator(".page:visible h2").first().waitFor();
  }
  await page.locator(".item.link").first().click();
  await page.locator(".stage docent-chat .launcher").waitFor();
  await page.evaluate(() => (location.hash = "#/"));
  assert.equal(await page.inputValue("#question"), "Is it still here?");
  await guard();
});

test("a page that cannot be fetched says so, and leaves the others alone", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  await page.route("**/console/usage.mjs", (route) => route.abort());
  await page.evaluate(() => (location.hash = "#/usage"));
  await page.getByText("This page could not be fetched").waitFor();
  await assertAccessible(page, "a page that could not be fetched");
  await page.evaluate(() => (location.hash = "#/tokens"));
  await page.locator(".page:visible h2", { hasText: "Tokens" }).waitFor();
  await guard();
});

test("from right to left the pages are mirrored and stay whole", async () => {
  const { page, guard } = await at("#/bots", { init: () => addEventListener("DOMContentLoaded", () => (document.documentElement.dir = "rtl")) });
  for (const room of ["bots", "search", "usage", "keys", "tokens", "evaluation", "conversations"]) {
    await page.evaluate((to) => (location.hash = `#/${to}`), room);
    await page.locator(".page:visible h2").first().waitFor();
    const { start, end } = await page.evaluate(() => {
      const [link] = document.querySelectorAll("#rooms a");
      const box = document.querySelector(".page:not([hidden]) h2").getBoundingClientRect();
      return { start: link.getBoundingClientRect().left > innerWidth / 2, end: box.right > innerWidth / 2 };
    });
    assert.ok(start && end, `${room} begins at the right`);
    assert.ok(await page.evaluate(() => document.querySelector("#pages").scrollWidth <= document.querySelector("#pages").clientWidth), `${room} is wider than the screen`);
  }
  await guard();
});
