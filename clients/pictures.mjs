// Writes the pictures of the console's pages and of the widget on a site, for the README. Of the mock, so that their numbers are examples and stay the same.
import { writeFile } from "node:fs/promises";
import { launch, openConsole, SCREENS } from "./browser.mjs";
import { start } from "./mock.mjs";
import { DEFAULT_BOT } from "./mock-rooms.mjs";
import { ask, openWidget, site, visit } from "./widget-page.mjs";

const MOST_BYTES = 300_000;
const SITE = "<style>body{margin:0;font:17px/1.7 Georgia,serif;color:#1c1b19;background:#f7f4ec}main{max-width:30rem;margin:0 0 0 7vw;padding:72px 0}h1{font-size:44px;line-height:1.15;margin:0 0 20px}nav{font:14px sans-serif;letter-spacing:.04em;margin-bottom:64px;color:#625f58}p{max-width:27rem}</style><nav>Lighthouse Museum &nbsp; Visit &nbsp; Collection &nbsp; Keepers</nav><h1>Four hundred steps above the harbour</h1><p>The light has burned every night since 1871. Climb the tower, read the keepers' logs, and see the lens that could be seen from thirty miles.</p><p>Open daily from ten to four. The lamp room is closed on the day it is inspected.</p>";

const docent = await start({ pace: 5 });
const browser = await launch();
const home = await site(docent);
try {
  const { page } = await openConsole(browser, docent);
  await page.locator("#desk").waitFor();
  await page.evaluate((id) => (location.hash = `#/bots/${id}`), DEFAULT_BOT);
  await page.locator(".stage docent-chat .panel").waitFor();
  await page.locator('[data-field="widget.color"] input[type=text]').fill("#7a3b69");
  await page.locator('[data-field="greeting"] textarea').fill("Welcome aboard! Ask me anything about the lighthouse.");
  await page.locator(".stage docent-chat .greeting", { hasText: "Welcome aboard" }).waitFor();
  await keep("bots", page);
  await page.evaluate(() => (location.hash = "#/usage"));
  await page.locator("svg.chart").waitFor();
  await keep("usage", page);
  const { tab } = await visit(browser, docent, home, { screen: { ...SCREENS.light, viewport: { width: 1100, height: 800 } }, html: SITE, policy: `default-src 'none'; script-src ${docent.url}; connect-src ${docent.url}; style-src 'unsafe-inline'` });
  await openWidget(tab);
  await (await ask(tab, "Who signs the keeper's log?")).locator(".tools").waitFor();
  await keep("widget", tab);
} finally {
  await browser.close();
  home.stop();
  docent.stop();
}

async function keep(name, page) {
  const bytes = await page.screenshot({ animations: "disabled" });
  if (bytes.length > MOST_BYTES) throw new Error(`${name}.png has ${bytes.length} bytes`);
  await writeFile(new URL(`./screenshots/${name}.png`, import.meta.url), bytes);
}
