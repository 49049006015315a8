// Which Docent the tests talk to: DOCENT_URL with DOCENT_TOKEN, or else the mock.
import { start } from "./mock.mjs";

export const isMock = !process.env.DOCENT_URL;

export async function target(options) {
  if (isMock) return start(options);
  if (!process.env.DOCENT_TOKEN) throw new Error("DOCENT_URL is set, DOCENT_TOKEN is not: set it to a token of that system (docent serve prints one)");
  return { url: process.env.DOCENT_URL.replace(/\/$/, ""), token: process.env.DOCENT_TOKEN, stop() {} };
}
