// A site that embeds the widget: a server of its own origin, with the strictest policy under which the widget must work.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test as run } from "node:test";
import { SCREENS } from "./browser.mjs";
import { PUBLISHABLE } from "./mock-widget.mjs";
import { isMock } from "./target.mjs";
import { BUNDLE } from "./widget-bundle.mjs";

/** A test whose faults only the mock makes; widget-real.test.mjs is for the real system. */
export function test(name, walk) {
  return run(name, { skip: !isMock && "it needs the mock's faults" }, walk);
}

const PLAIN = { attributes: {}, policy: null, html: "<h1>Lighthouse Museum</h1><p><a href=\"#more\">Opening hours</a></p>", lang: "en" };

/** A site at an address of its own. `html` is what its pages hold besides the tag. */
export async function site(docent) {
  const state = { ...PLAIN };
  const server = createServer(async (request, response) => {
    if (request.url === "/widget.js") return response.writeHead(200, { "content-type": "text/javascript; charset=utf-8" }).end(await readFile(BUNDLE));
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": state.policy ?? strict(docent) }).end(page(docent, state));
  });
  const url = await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)));
  return { url, state, stop: () => (server.closeAllConnections(), server.close()) };
}

/** What the documentation tells an owner to allow, and nothing else. The real system's script is served by the site, from this tree. */
function strict(docent) {
  return `default-src 'none'; script-src ${isMock ? docent.url : "'self'"}; connect-src ${docent.url}; require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'`;
}

function page(docent, { attributes, html, lang }) {
  const all = { token: docent.publishable ?? PUBLISHABLE, api: isMock ? undefined : docent.url, ...attributes };
  const escaped = (value) => String(value).replace(/&/g, "&amp;").replace(/"/g, "&quot;");
  const data = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => ` data-${name}="${escaped(value)}"`).join("");
  return `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>Museum</title><meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main>${html}</main><script src="${isMock ? docent.url : ""}/widget.js"${data} async></script></body></html>`;
}

/** A tab on the site. `guard()` asserts that nothing forbidden has happened, and closes it. */
export async function visit(browser, docent, { url, state }, { screen = SCREENS.light, init, locale = "en-GB", foreign = [], ...settings } = {}) {
  Object.assign(state, PLAIN, settings);
  const context = await browser.newContext({ ...screen, locale, reducedMotion: "reduce" });
  if (init) await context.addInitScript(init);
  const tab = await context.newPage();
  tab.setDefaultTimeout(10_000);
  const wrongs = [];
  tab.on("pageerror", (error) => wrongs.push(`script error: ${error.message}`));
  tab.on("dialog", (dialog) => (wrongs.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
  tab.on("console", (message) => /Content Security Policy|Trusted ?(Types|HTML|Script)/i.test(message.text()) && wrongs.push(message.text()));
  context.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (origin !== new URL(docent.url).origin && origin !== url && !foreign.includes(origin)) wrongs.push(`foreign request: ${request.method()} ${request.url()}`);
  });
  await tab.goto(`${url}/`);
  const guard = async () => {
    assert.deepEqual(wrongs, []);
    await context.close();
  };
  return { tab, context, guard, wrongs };
}

export async function openWidget(tab) {
  await tab.locator(".launcher").click();
  await tab.locator(".panel").waitFor();
}

export async function ask(tab, question) {
  await tab.locator("textarea").fill(question);
  await tab.locator("textarea").press("Enter");
  return tab.locator(".answer").last();
}
