// A headless Chromium for the console's tests, with watchers for what must never happen: script errors, policy violations, foreign requests.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const SCREENS = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true },
};

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/** A page of its own, the console signed in unless `signedIn` is false or `path` names another. `guard()` asserts that nothing forbidden has happened. */
export async function openConsole(browser, docent, { screen = SCREENS.light, signedIn = true, path = signedIn ? `/#token=${docent.token}` : "/", init } = {}) {
  const context = await browser.newContext({ ...screen, reducedMotion: "reduce" });
  if (init) await context.addInitScript(init);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  // The picker is caught only from the first listener on, and not at once: one that comes with the key press would be too late.
  page.on("filechooser", () => {});
  const wrongs = [];
  page.on("pageerror", (error) => wrongs.push(`script error: ${error.message}`));
  page.on("console", (message) => /Content Security Policy|TrustedHTML|unsafe header/i.test(message.text()) && wrongs.push(message.text()));
  page.on("request", (request) => {
    const foreign = new URL(request.url()).origin !== new URL(docent.url).origin;
    // Only the presigned upload may leave for another origin.
    if (foreign && !["PUT", "OPTIONS"].includes(request.method())) wrongs.push(`foreign request: ${request.method()} ${request.url()}`);
  });
  await page.goto(docent.url + path);
  const guard = async () => {
    assert.deepEqual(wrongs, []);
    await context.close();
  };
  return { page, guard };
}

/** Runs axe on the page as it stands. Evaluated through the debugger, because the page's policy would refuse an added script. */
export async function assertAccessible(page, state) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => node.target.join(" ")).join("\n  ")}`);
  assert.deepEqual(told, [], `axe on ${state}`);
}

/** Adds files through the drop zone's field and waits until each has settled; answers their rows. */
export async function addAndSettle(page, files) {
  await page.setInputFiles("#files", files);
  const rows = files.map(({ name }) => rowOf(page, name));
  for (const row of rows) await row.and(page.locator('[data-status="ready"], [data-status="failed"]')).waitFor({ timeout: 60_000 });
  return rows;
}

export function rowOf(page, name) {
  return page.locator(".document", { has: page.locator(".document-name", { hasText: name }) }).first();
}

export async function ask(page, question) {
  await page.fill("#question", question);
  await page.press("#question", "Enter");
  return page.locator(".answer").last();
}

/** Deletes what a test has added, whatever its state. */
export async function removeAll(page, names) {
  for (const name of names) {
    const row = rowOf(page, name);
    if ((await row.count()) === 0) continue;
    const settledAsFailed = (await row.getAttribute("data-status")) === "failed";
    // A row of the same name from another run may move up into its place.
    const element = await row.elementHandle();
    await row.locator(".remove").click();
    if (!settledAsFailed) await page.click("#ask-first .danger");
    await page.waitForFunction((gone) => !gone.isConnected, element);
  }
}
