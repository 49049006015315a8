// The widget against the real system: the page that its publishable token names may chat, and no other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { DOCUMENTS, EXPECTED, QUESTION } from "./fixtures.mjs";
import { isMock, target } from "./target.mjs";
import { ask, openWidget, site, visit } from "./widget-page.mjs";

const skip = isMock && "it needs the real system: DOCENT_URL is unset";
let docent;
let browser;
let home;
let stranger;
let documents;
let tokenId;

before(async () => {
  if (skip) return;
  docent = await target();
  browser = await launch();
  [home, stranger] = [await site(docent), await site(docent)];
  const made = await call("POST", "/api/tokens", { name: "widget test", publishable: true, origins: [home.url] });
  docent.publishable = made.token;
  tokenId = made.id;
  documents = await Promise.all(DOCUMENTS.map(upload));
});
after(async () => {
  if (skip) return;
  for (const id of documents ?? []) await call("DELETE", `/api/documents/${id}`);
  await browser?.close();
  home?.stop();
  stranger?.stop();
});

test("an allowed page asks and reads the quote; every request stays with the server", { skip }, async () => {
  const { tab, guard } = await visit(browser, docent, home);
  await openWidget(tab);
  const shown = await ask(tab, QUESTION);
  await shown.locator(".tools").waitFor({ timeout: 60_000 });
  await shown.locator(".source", { hasText: EXPECTED.filename }).first().click();
  assert.match(await tab.locator(".sheet").innerText(), new RegExp(`page ${EXPECTED.page}`));
  await tab.keyboard.press("Escape");
  await tab.reload();
  await tab.locator(".answer .tools").waitFor();
  assert.equal(await tab.locator(".bad").count(), 0, "a reload keeps the conversation");
  await guard();
});

test("a page that the token does not name is refused, by the browser and by the server", { skip }, async () => {
  const { tab, guard } = await visit(browser, docent, stranger);
  await openWidget(tab);
  await (await ask(tab, QUESTION)).getByText("The chat could not be reached.").waitFor();
  await guard();
  const near = [stranger.url, home.url.replace("127.0.0.1", "localhost"), `${home.url}0`, `${home.url}/`, home.url.replace("http:", "https:"), "null", "https://evil.example"];
  for (const origin of near) {
    const answered = await fetch(`${docent.url}/api/tokens/visitor`, { method: "POST", headers: { authorization: `Bearer ${docent.publishable}`, origin, "content-type": "application/json" }, body: "{}" });
    assert.equal(answered.status, 403, origin);
    assert.equal(answered.headers.get("access-control-allow-origin"), null, origin);
    assert.equal((await answered.json()).code, "origin_not_allowed");
  }
});

test("a visitor's token works from its own page alone, and a revoked publishable token ends it", { skip }, async () => {
  const send = (path, token, origin, body) => fetch(docent.url + path, { method: "POST", headers: { authorization: `Bearer ${token}`, origin, "content-type": "application/json" }, body: JSON.stringify(body) });
  const { token } = await (await send("/api/tokens/visitor", docent.publishable, home.url, {})).json();
  const question = { id: "c1", stream: false, message: { role: "user", parts: [{ type: "text", text: QUESTION }] } };
  assert.equal((await send("/api/chat", token, home.url, question)).status, 200);
  assert.equal((await send("/api/chat", token, stranger.url, question)).status, 403);
  assert.equal((await send("/api/upload", token, home.url, { filename: "a.txt", size: 1 })).status, 403, "it can only chat");
  const { tab, guard } = await visit(browser, docent, home);
  await openWidget(tab);
  await (await ask(tab, QUESTION)).locator(".tools").waitFor({ timeout: 60_000 });
  await call("DELETE", `/api/tokens/${tokenId}`);
  const refused = await ask(tab, "And now?");
  await refused.locator(".bad").waitFor();
  assert.equal(await tab.locator("textarea").inputValue(), "And now?");
  await guard();
});

async function call(method, path, body) {
  const response = await fetch(docent.url + path, { method, headers: { authorization: `Bearer ${docent.token}`, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}

async function upload({ name, mimeType, buffer }) {
  const { documentId, upload: put } = await call("POST", "/api/upload", { filename: name, contentType: mimeType, size: buffer.length });
  assert.ok((await fetch(put.url, { method: put.method, headers: put.headers, body: buffer })).ok);
  await call("POST", `/api/upload/${documentId}/complete`);
  for (;;) {
    const { status } = await call("GET", `/api/documents/${documentId}`);
    if (status === "ready") return documentId;
    assert.notEqual(status, "failed");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
