// The console's readers of numbers, without a browser: results of `docent eval`, and where a chart's axis ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nice } from "../public/console/chart.mjs";
import { runOf } from "../public/console/eval-file.mjs";

const LINE = { set: "s", configuration: "c", questions: 3, ndcg10: 0.5, recall10: 1, mrr: null, p50Ms: 2 };

test("results are read as lines or as one array, between whatever else was printed", () => {
  const text = JSON.stringify(LINE);
  for (const file of [text, `${text}\n`, `${text}\r\n${text}\r\n`, `| a | table |\n\n${text}\n{"half`, JSON.stringify([LINE, null, 7, { set: 1 }])]) {
    const { name, lines } = runOf("run.jsonl", file);
    assert.equal(name, "run.jsonl");
    assert.deepEqual(lines[0], { set: "s", configuration: "c", questions: 3, ndcg10: 0.5, recall10: 1, mrr: null, citationPrecision: null, refusalAccuracy: null, p50Ms: 2, p95Ms: null });
  }
  assert.equal(runOf("x", `${text}\r\n${text}`).lines.length, 2);
});

test("what is no number was not measured", () => {
  const [line] = runOf("x", JSON.stringify({ ...LINE, ndcg10: "0.5", recall10: {}, questions: "many" })).lines;
  assert.deepEqual([line.ndcg10, line.recall10, line.questions], [null, null, 0]);
});

test("a file without results is told from one with them", () => {
  for (const file of ["", "[]", "{}", "null", '{"set": "s"}', "%PDF-1.7", " ".repeat(4_000_001)]) {
    assert.throws(() => runOf("x", file), { code: "no_results" }, file.slice(0, 20));
  }
});

test("an axis ends at a number whose quarters are easy, at or above the highest value", () => {
  for (const [value, top] of [[0, 1], [-1, 1], [NaN, 1], [1, 1], [1.1, 1.2], [1.13, 1.2], [7, 8], [9.1, 10], [0.031, 0.032], [12_345, 16_000]]) {
    assert.ok(Math.abs(nice(value) - top) < 1e-9 * top, `${value}: ${nice(value)}`);
  }
});
