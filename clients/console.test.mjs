// The console in headless Chromium, as a newcomer walks through it. The same steps run against the mock and, with DOCENT_URL, against the real system.
import assert from "node:assert/strict";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { addAndSettle, ask, assertAccessible, launch, openConsole, removeAll, rowOf, SCREENS } from "./browser.mjs";
import { BROKEN, DOCUMENTS, EXPECTED, QUESTION } from "./fixtures.mjs";
import { isMock, target } from "./target.mjs";

const NAMES = [...DOCUMENTS, BROKEN].map((file) => file.name);
const PICTURE = fileURLToPath(new URL("./screenshots/console.png", import.meta.url));
let docent;
let browser;

before(async () => {
  docent = await target({ pace: 60 });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  docent?.stop();
});

test("signing in: a wrong token is explained, a right one opens the desk and leaves the address bar", async () => {
  const { page, guard } = await openConsole(browser, docent, { signedIn: false });
  await assertAccessible(page, "the sign-in card");
  await page.press("#token", "Enter");
  await page.getByText("Paste a token first.").waitFor();
  await page.fill("#token", "docent_sk_wrong");
  await page.press("#token", "Enter");
  await page.waitForFunction(() => document.querySelector("#sign-in-error").textContent.length > 20 && !document.querySelector("#sign-in-error").textContent.includes("Paste"));
  assert.equal(await page.inputValue("#token"), "docent_sk_wrong", "what was typed is kept");
  await page.fill("#token", docent.token);
  await page.press("#token", "Enter");
  await page.locator("#desk").waitFor();

  await page.goto("about:blank");
  await page.goto(`${docent.url}/#token=${docent.token}`);
  await page.locator("#desk").waitFor();
  assert.equal(page.url(), `${docent.url}/`, "the token is not left in the address");
  await page.reload();
  await page.locator("#desk").waitFor();
  await page.click("#sign-out");
  await page.locator("#sign-in").waitFor();
  await page.reload();
  await page.locator("#sign-in").waitFor();
  await guard();
});

test("the walk: drop files, watch their states, ask, see the stream, read the quote with its page", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  await assertAccessible(page, "the empty desk");
  await watchStates(page);
  await dropFiles(page, DOCUMENTS);
  await assertAccessible(page, "documents on their way");
  for (const { name } of DOCUMENTS) await rowOf(page, name).and(page.locator('[data-status="ready"]')).waitFor({ timeout: 60_000 });
  const seen = await page.evaluate((name) => globalThis.seenStates[name], EXPECTED.filename);
  assert.equal(seen[0], "uploading");
  assert.equal(seen.at(-1), "ready");
  // A real system may be done with a small file before anybody looks; the mock takes its time.
  if (!process.env.DOCENT_URL) assert.ok(seen.length >= 3, `states between are seen: ${seen}`);
  assert.match(await rowOf(page, EXPECTED.filename).innerText(), /3 pages/);

  await watchGrowth(page);
  const answer = await ask(page, QUESTION);
  await answer.locator(".answer-facts").waitFor({ timeout: 60_000 });
  const lengths = await page.evaluate(() => globalThis.seenLengths);
  if (isMock) assert.ok(lengths.length > 5, `the text grows: ${lengths}`);
  else console.log(`the answer grew in ${lengths.length} steps`);
  assert.match(await answer.locator(".answerer").first().innerText(), /\w/);
  await assertAccessible(page, "an answer");

  await openExpectedQuote(page, answer);
  await assertAccessible(page, "the source panel");
  await savePicture(page);
  await page.keyboard.press("Escape");
  await page.locator("#source").waitFor({ state: "hidden" });
  assert.ok(await page.evaluate(() => document.activeElement.matches(".cite, .source-item")), "the focus is back at the citation");

  const refusal = await ask(page, "What does quantum chromodynamics predict about gluons?");
  await refusal.locator(".refusal").waitFor();
  await assertAccessible(page, "a refusal");
  await removeAll(page, NAMES);
  await guard();
});

test("a file that cannot be read says why and what to do", async () => {
  const { page, guard } = await openConsole(browser, docent);
  const [row] = await addAndSettle(page, [BROKEN]);
  assert.equal(await row.getAttribute("data-status"), "failed");
  assert.match(await row.locator(".document-problem").innerText(), /\w+.*\./);
  assert.ok(await row.locator(".retry").isHidden(), "the same bytes are not offered again");
  await assertAccessible(page, "a failed document");
  await removeAll(page, [BROKEN.name]);
  await guard();
});

test("the keyboard alone does it: choose, ask, open a citation, walk and close it", async () => {
  const { page, guard } = await openConsole(browser, docent);
  await page.locator("#guide h3").waitFor();
  await page.focus(".skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "question", "the first link skips to the question");
  await page.focus("#drop");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
  await chooser.setFiles(DOCUMENTS);
  for (const { name } of DOCUMENTS) await rowOf(page, name).and(page.locator('[data-status="ready"]')).waitFor({ timeout: 60_000 });
  await page.focus("#question");
  await page.keyboard.type("A line,");
  await page.keyboard.press("Shift+Enter");
  assert.equal(await page.inputValue("#question"), "A line,\n", "Shift+Enter is a new line");
  await page.fill("#question", QUESTION);
  await page.keyboard.press("Enter");
  await page.locator(".answer-facts").waitFor({ timeout: 60_000 });
  await page.focus(".cite >> nth=0");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "source-title", "the focus follows into the panel");
  await page.keyboard.press("Escape");
  assert.ok(await page.evaluate(() => document.activeElement.matches(".cite")));
  await removeAll(page, NAMES);
  await guard();
});

test("a phone shows documents and conversation in turn, and the source over them", async () => {
  const { page, guard } = await openConsole(browser, docent, { screen: SCREENS.phone });
  await page.locator("#guide h3").waitFor();
  await page.click('[data-view="documents"]');
  await addAndSettle(page, DOCUMENTS);
  await assertAccessible(page, "the documents on a phone");
  await page.click('.switch [data-view="ask"]');
  const answer = await ask(page, QUESTION);
  await answer.locator(".answer-facts").waitFor({ timeout: 60_000 });
  await openExpectedQuote(page, answer);
  await assertAccessible(page, "the source panel on a phone");
  assert.ok(await page.locator("#chat").evaluate((chat) => chat.inert), "what lies below takes no focus");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the screen");
  await page.getByRole("button", { name: "Close the source" }).click();
  await page.click('.switch [data-view="documents"]');
  await removeAll(page, NAMES);
  await guard();
});

test("dark and light: the system's preference, then the reader's choice, which a reload keeps", async () => {
  const { page, guard } = await openConsole(browser, docent, { screen: SCREENS.dark });
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await paper();
  await assertAccessible(page, "the dark desk");
  await page.click("#theme");
  const light = await paper();
  assert.notEqual(light, dark);
  await page.reload();
  assert.equal(await paper(), light);
  await guard();
});

test("no file of the console makes markup from strings or carries inline script or style", async () => {
  const root = new URL("../public/", import.meta.url);
  const files = (await readdir(root, { recursive: true })).filter((name) => /\.(html|m?js)$/.test(name));
  assert.ok(files.length > 10);
  for (const name of files) {
    const text = await readFile(new URL(name, root), "utf8");
    const found = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|createContextualFragment|\sstyle=|<style|<script(?![^>]*\ssrc=)|\son\w+="/.exec(text);
    assert.equal(found?.[0], undefined, name);
    assert.doesNotMatch(text, /(src|href|from|import)\s*[=(]?\s*"(https?:)?\/\//, `${name} asks no other host`);
  }
});

/** Drops files as a pointer would: a DataTransfer on the window. */
async function dropFiles(page, files) {
  const plain = files.map(({ name, mimeType, buffer }) => ({ name, mimeType, bytes: [...buffer] }));
  await page.evaluate((list) => {
    const dataTransfer = new DataTransfer();
    for (const { name, mimeType, bytes } of list) dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type: mimeType }));
    const zone = document.querySelector("#drop");
    for (const type of ["dragenter", "dragover", "drop"]) zone.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }, plain);
  assert.ok(await page.locator("#drop-veil").isHidden(), "the veil goes with the drop");
}

function watchStates(page) {
  return page.evaluate(() => {
    globalThis.seenStates = {};
    const look = () => {
      for (const row of document.querySelectorAll(".document")) {
        const states = (globalThis.seenStates[row.querySelector(".document-name").textContent] ??= []);
        if (states.at(-1) !== row.dataset.status) states.push(row.dataset.status);
      }
    };
    new MutationObserver(look).observe(document.querySelector("#document-list"), { subtree: true, childList: true, attributes: true });
  });
}

function watchGrowth(page) {
  return page.evaluate(() => {
    globalThis.seenLengths = [];
    const look = () => {
      const length = document.querySelector(".answer .prose")?.textContent.length ?? 0;
      if (length > (globalThis.seenLengths.at(-1) ?? 0)) globalThis.seenLengths.push(length);
    };
    new MutationObserver(look).observe(document.querySelector("#thread"), { subtree: true, childList: true, characterData: true });
  });
}

/** Opens citations until the expected quote shows, with its file and page. */
async function openExpectedQuote(page, answer) {
  const cites = answer.locator(".cite");
  assert.ok((await cites.count()) > 0, "the answer has citations");
  for (const cite of await cites.all()) {
    await cite.click();
    const shown = await page.locator("#source").innerText();
    if (!shown.replace(/\s+/g, " ").includes(EXPECTED.words)) {
      await page.getByRole("button", { name: "Close the source" }).click();
      continue;
    }
    assert.ok(shown.includes(EXPECTED.filename));
    assert.match(shown, new RegExp(`page ${EXPECTED.page}`, "i"));
    return;
  }
  assert.fail(`no citation shows "${EXPECTED.words}"`);
}

async function savePicture(page) {
  if (process.env.UPDATE_SCREENSHOTS !== "1") return;
  if (isMock) return console.log("not run: the picture of the console: it is taken of the real system only, and DOCENT_URL is unset");
  await mkdir(dirname(PICTURE), { recursive: true });
  const bytes = await page.screenshot({ path: PICTURE });
  assert.ok(bytes.length < 300_000, `the picture has ${bytes.length} bytes`);
}
