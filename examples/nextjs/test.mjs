// Builds this front end, runs it before a whole Docent, and walks through it in Chromium: `node test.mjs PATH-OF-docent`.
// Needs `npm ci` here and in ../../clients (for Playwright and axe). Takes about a minute, most of it the build.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as reserve } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { assertAccessible, launch, SCREENS } from "../../clients/browser.mjs";
import { BROKEN, DOCUMENTS, EXPECTED, QUESTION } from "../../clients/fixtures.mjs";

if (!process.argv[2]) {
  console.error("usage: node test.mjs PATH-OF-docent");
  process.exit(2);
}
const binary = resolve(process.argv[2]);
const WORDS = "The senior keeper signs the log each morning before the lamp is trimmed and nobody else may".split(" ");
const SECRETS = { AUTH_SECRET: randomBytes(32).toString("base64"), DEMO_PASSWORD: "lantern" };
const running = [];
const wrongs = [];
const data = await mkdtemp(join(tmpdir(), "docent-nextjs-"));
// The database does not run as root: its user must be able to enter.
await chmod(data, 0o755);
const provider = await slowProvider();
let browser;
try {
  const port = await freePort();
  const home = `http://localhost:${port}`;
  const docent = await printed(run(binary, ["up", "--port", "0", "--embedder", "hash", "--data", data], { ...SECRETS, TENANT_PROVISIONING: "1", ALLOWED_ORIGINS: home }), /console\s+(http:\/\/127\.0\.0\.1:\d+)/);
  const environment = { ...SECRETS, DOCENT_URL: docent, NEXT_TELEMETRY_DISABLED: "1" };
  const begun = performance.now();
  await ended(next(["build"], environment));
  console.log(`built in ${Math.round((performance.now() - begun) / 1000)} s`);
  await printed(next(["start", "-p", String(port)], environment), /Ready in/);
  browser = await launch();
  await walk(home);
  await phone(home);
  assert.deepEqual(wrongs, []);
  console.log("every step held");
} catch (error) {
  console.error(error);
  for (const page of browser?.contexts().flatMap((context) => context.pages()) ?? []) console.error(await page.locator("body").innerText());
  process.exitCode = 1;
} finally {
  await browser?.close();
  provider.stop();
  for (const child of running.reverse()) await halt(child);
  await rm(data, { recursive: true, force: true, maxRetries: 5 });
}

async function walk(home) {
  const page = await newPage(home, SCREENS.light);
  await assertAccessible(page, "the sign-in form");
  await signIn(page, "wrong");
  await page.getByText("That is not the password").waitFor();
  await signIn(page, SECRETS.DEMO_PASSWORD);
  await page.getByText("Add a document, then ask about it.").waitFor();
  step("signed in");

  await page.setInputFiles("input[type=file]", [...DOCUMENTS, BROKEN]);
  for (const { name } of DOCUMENTS) await page.locator('li[data-status="ready"]', { hasText: name }).waitFor({ timeout: 60_000 });
  const broken = page.locator('li[data-status="failed"]', { hasText: BROKEN.name });
  await broken.waitFor({ timeout: 60_000 });
  assert.match(await broken.locator(".problem").innerText(), /\w+.*\./, "a file that cannot be read says why");
  await assertAccessible(page, "the desk");
  step("uploaded, and read");

  await ask(page, QUESTION);
  await openQuote(page, EXPECTED.words);
  await assertAccessible(page, "an answer with its quote");
  await page.reload();
  await openQuote(page, "signs the log");
  step("asked, quoted, and kept through a reload");

  await useProvider(page);
  await ask(page, "Who signs the log, slowly?");
  await page.getByText(WORDS.slice(0, 3).join(" ")).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Ask", exact: true }).waitFor();
  assert.ok(!(await page.locator(".answer").last().innerText()).includes(WORDS.join(" ")), "it stopped before the end");
  step("stopped");

  await ask(page, "Who signs the log, once more?");
  await page.locator(".answer").last().getByText(WORDS.slice(0, 2).join(" ")).waitFor();
  await page.reload();
  const again = page.getByRole("button", { name: "Ask again" });
  const whole = page.locator(".answer").last().getByText(WORDS.join(" "));
  await whole.or(again).first().waitFor({ timeout: 20_000 });
  const resumed = !(await again.isVisible());
  if (!resumed) await again.click();
  await whole.waitFor({ timeout: 20_000 });
  step(resumed ? "resumed after a reload" : "offered the question again after a reload");

  provider.cut = true;
  await ask(page, "Who signs the log, in the end?");
  await page.locator(".notice").waitFor({ timeout: 20_000 });
  await assertAccessible(page, "a failure");
  provider.cut = false;
  await page.getByRole("button", { name: "Ask again" }).click();
  await page.locator(".answer").last().getByText(WORDS.join(" ")).waitFor({ timeout: 20_000 });
  step("failed, and asked again");

  await page.getByRole("button", { name: "Keys" }).click();
  await page.locator(".keys").getByText("slow …0000").waitFor();
  await page.getByLabel("Key", { exact: true }).fill("not a key");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForFunction(() => document.querySelector(".keys [role=status]").textContent.length > 10);
  await page.getByRole("button", { name: "Delete the key of slow" }).click();
  await page.getByText("slow …0000").waitFor({ state: "hidden" });
  await ask(page, "Is anybody there?");
  await page.getByText("There is no key for the provider").waitFor();
  step("keys: saved, refused, deleted and missed");

  await page.context().close();
}

async function phone(home) {
  const page = await newPage(home, SCREENS.phone);
  await signIn(page, SECRETS.DEMO_PASSWORD);
  await page.locator("li", { hasText: DOCUMENTS[0].name }).waitFor();
  await assertAccessible(page, "the desk on a phone");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the screen");
  await page.context().clearCookies();
  await ask(page, "Is anybody there?");
  await page.getByText("Your session has ended.").waitFor();
  await assertAccessible(page, "a session that ended");
  await page.context().close();
  step("on a phone, and out when the session ends");
}

async function newPage(home, screen) {
  const page = await (await browser.newContext(screen)).newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => wrongs.push(`script error: ${error.message}`));
  await page.goto(home);
  return page;
}

async function signIn(page, password) {
  await page.getByLabel("E-mail").fill("keeper@museum.example");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Enter while an answer is still on its way does nothing, and keeps what is written. */
async function ask(page, question) {
  await page.getByRole("button", { name: "Ask", exact: true }).waitFor();
  await page.getByLabel("Your question").fill(question);
  await page.getByLabel("Your question").press("Enter");
}

/** A stored answer has its cited words, and not the passages around them. */
async function openQuote(page, words) {
  await page.locator(".cite").first().waitFor({ timeout: 30_000 });
  await page.getByRole("button", { name: "Ask", exact: true }).waitFor();
  const seen = [];
  for (const cite of await page.locator(".cite").all()) {
    if ((await cite.getAttribute("aria-expanded")) === "false") await cite.click();
    const shown = (await page.locator(".quote").innerText()).replace(/\s+/g, " ");
    if (shown.includes(words) && shown.includes(EXPECTED.filename) && shown.includes(`page ${EXPECTED.page}`)) return;
    seen.push(shown);
  }
  assert.fail(`no citation shows "${words}": ${seen.join(" | ")}`);
}

/** Points the person's bot at the slow provider, through the same rewrites. */
function useProvider(page) {
  return page.evaluate(async (baseUrl) => {
    const call = async (method, path, body) => (await fetch(path, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) })).json();
    await call("PUT", "/api/keys/slow", { key: "sk-slow-provider-0000", baseUrl });
    const { bots } = await call("GET", "/api/bots");
    await call("PATCH", `/api/bots/${bots[0].id}`, { provider: "slow", model: "slow" });
  }, provider.url);
}

/** Speaks OpenAI's dialect, a word every tenth of a second; with `cut` it breaks off. */
async function slowProvider() {
  const state = { cut: false };
  const server = createServer(async (request, response) => {
    if (request.method === "GET") return response.writeHead(200, { "content-type": "application/json" }).end('{"object":"list","data":[]}');
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const [index, word] of WORDS.entries()) {
      if (state.cut && index === 3) return response.end();
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: index ? ` ${word}` : word } }] })}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    response.end(`data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(state, { url: `http://127.0.0.1:${server.address().port}/v1`, stop: () => (server.closeAllConnections(), server.close()) });
}

/** Without `npx` between, so that ending it ends it. */
function next(parameters, environment) {
  return run(process.execPath, [join(import.meta.dirname, "node_modules/next/dist/bin/next"), ...parameters], environment);
}

function run(command, parameters, environment) {
  // `docent up` would prefer a database that the shell names to the one of its own, and this walk writes.
  const { DATABASE_URL, DIRECT_DATABASE_URL, ...own } = process.env;
  const child = spawn(command, parameters, { cwd: import.meta.dirname, env: { ...own, ...environment }, stdio: ["ignore", "pipe", "inherit"] });
  running.push(child);
  return child;
}

function printed(child, pattern) {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
      const found = pattern.exec(text);
      if (found) resolve(found[1]);
    });
    child.on("exit", (status) => reject(new Error(`it ended with ${status} before it came up: ${text}`)));
  });
}

function ended(child) {
  child.stdout.resume();
  return new Promise((resolve, reject) => child.on("exit", (status) => (status === 0 ? resolve() : reject(new Error(`next build ended with ${status}`)))));
}

async function halt(child) {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.on("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

function freePort() {
  return new Promise((resolve) => {
    const server = reserve().listen(0, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function step(text) {
  console.log(`✔ ${text}`);
}
