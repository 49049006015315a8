// Runs `openai_cases.py` once, and answers what became of each of its cases.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { EXPECTED, QUESTION } from "../fixtures.mjs";
import { ANSWER, BEGUN } from "../provider.mjs";
import { BROKEN } from "./chat-faults.mjs";
import { WHOLE, statuses } from "./openai.mjs";

export const CLIENT = "openai for Python";
const SCRIPT = new URL("openai_cases.py", import.meta.url).pathname;

/** Answers `[{name, problem}]`; a script that ends early is a problem, too. */
export async function run(python, world) {
  const failures = Object.entries({ ...statuses(), ...BROKEN }).map(([behaviour, code]) => [behaviour, code, WHOLE[code], behaviour in BROKEN ? BEGUN : ""]);
  const behaviours = ["plain", "turns", "length", "filtered", "long", ...failures.map(([behaviour]) => behaviour)];
  const bots = Object.fromEntries(await Promise.all(behaviours.map(async (behaviour) => [behaviour, await world.bot(behaviour, CLIENT)])));
  const given = {
    url: world.url,
    token: world.token,
    reader: (await world.newToken("read")).token,
    broke: (await world.broke()).token,
    name: `plain/${CLIENT}`,
    asked: `${process.env.DOCENT_PROVIDER}/asked/long/${encodeURIComponent(CLIENT)}`,
    filename: EXPECTED.filename,
    question: QUESTION,
    answer: ANSWER,
    begun: BEGUN,
    bots,
    failures,
  };
  const child = spawn(python, [SCRIPT], { env: { ...process.env, DOCENT_MATRIX: JSON.stringify(given) }, stdio: ["ignore", "pipe", "inherit"] });
  const [printed, status] = await Promise.all([text(child.stdout), new Promise((resolve) => child.on("exit", resolve))]);
  const cases = printed.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return status === 0 ? cases : [...cases, { name: "the script", problem: `it ended with ${status}` }];
}
