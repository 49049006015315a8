// Every route of the product, through the rewrites of vercel.json and through CloudFront and the HTTP API of
// template.yaml, by the rules that the platforms document: does it reach the function that has it?
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const template = read("template.yaml");

/** The list that the tests of the product keep complete: each route of the sources is in it. */
const ROUTES = [...read("shared/app/tests/it/matrix.rs").matchAll(/^ {4}\("([A-Z]+)", "([^"]+)", For::/gm)].map(
  ([, method, path]) => ({ method, path, asked: path.replaceAll(/\{\w+\}/g, "0190a3f0-7c2e-7000-8000-000000000000") }),
);

/** Which function has a path, by its first word; see the table of functions in ARCHITECTURE.md. */
const OWNERS = {
  health: ["health"],
  upload: ["upload", "documents", "collections"],
  keys: ["keys", "tokens", "webhooks"],
  bots: ["bots", "usage", "widget", "search", "conversations"],
  chat: ["chat", "v1"],
  ingest: ["ingest"],
};
const owner = (path) => {
  const [, word] = /^\/(?:api\/(?:v1\/)?)?(\w+)/.exec(path);
  return Object.keys(OWNERS).find((name) => OWNERS[name].includes(word));
};

test("the list was read", () => {
  assert.ok(ROUTES.length >= 50, `${ROUTES.length} routes`);
  for (const { path } of ROUTES) assert.ok(owner(path), `${path} belongs to no function yet: say here to which`);
});

// https://vercel.com/docs/project-configuration: what is in the file system wins (a function is there under its own
// name), then the first rewrite whose source matches the whole path.
const vercel = JSON.parse(read("vercel.json"));
function onVercel(path) {
  const own = /^\/api\/(\w+)$/.exec(path)?.[1];
  if (own in OWNERS) return own;
  const rewrite = vercel.rewrites.find(({ source }) => new RegExp(`^${source}$`).test(path));
  return rewrite && /^\/api\/(\w+)$/.exec(rewrite.destination)[1];
}

test("Vercel sends every route to its function", () => {
  for (const { method, asked } of ROUTES) assert.equal(onVercel(asked), owner(asked), `${method} ${asked}`);
  assert.equal(onVercel("/api/no-such-path"), "health", "what nobody has is a problem with a code, not a page");
  assert.equal(onVercel("/"), undefined, "the console is a file");
  for (const { path } of vercel.crons) assert.equal(onVercel(path), "ingest", path);
});

test("no rewrite on Vercel stands behind one that takes all it would", () => {
  vercel.rewrites.forEach(({ source }, index) => {
    const asked = source.replace("(.*)", "x");
    const first = vercel.rewrites.findIndex((other) => new RegExp(`^${other.source}$`).test(asked));
    assert.equal(first, index, source);
  });
});

// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html: behaviours in
// their order, `*` for any characters and `?` for one; then the default.
const BEHAVIOURS = [...template.matchAll(/- PathPattern: (\S+)\n\s+TargetOriginId: (\w+)/g)].map(([, pattern, origin]) => ({
  origin,
  expression: new RegExp(`^${pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")}$`),
}));
const [, DEFAULT_ORIGIN] = /DefaultCacheBehavior:\n\s+TargetOriginId: (\w+)/.exec(template);

// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html: a full match first, then the
// greedy route with the longest prefix, then $default. `{rest+}` needs at least one character.
const API = [...template.matchAll(/^ {2}(\w+)Function:\n([\s\S]*?)(?=^ {2}\S)/gm)].flatMap(([, name, body]) =>
  [...body.matchAll(/Type: HttpApi, Properties: \{ ApiId: !Ref Api(?:, Path: "?([^",}]+(?:\{rest\+\})?)"?, Method: (\w+))? \}/g)].map(
    ([, path, method]) => ({ name: name.toLowerCase(), path, method }),
  ),
);
function onAws(path) {
  if ((BEHAVIOURS.find(({ expression }) => expression.test(path))?.origin ?? DEFAULT_ORIGIN) === "chat") return "chat";
  const greedy = API.filter((route) => route.path?.endsWith("{rest+}"))
    .map((route) => ({ ...route, prefix: route.path.slice(0, -"{rest+}".length) }))
    .filter(({ prefix }) => path.startsWith(prefix) && path.length > prefix.length)
    .sort((one, other) => other.prefix.length - one.prefix.length);
  return (API.find((route) => route.path === path) ?? greedy[0] ?? API.find((route) => !route.path))?.name;
}

test("AWS sends every route to its function", () => {
  assert.equal(API.filter((route) => !route.path).length, 1, "one function takes what nobody has");
  assert.ok(API.every(({ path, method }) => !path || method === "ANY"), "a method that is missing would be a 404 of the platform");
  for (const { method, asked } of ROUTES) {
    // Ingestion comes by the queue: its webhook is R2's and its sweep is on the schedule, so neither has a way in.
    if (owner(asked) === "ingest") assert.equal(onAws(asked), "health", `${method} ${asked}`);
    else assert.equal(onAws(asked), owner(asked), `${method} ${asked}`);
  }
  assert.equal(onAws("/api/no-such-path"), "health");
});

test("CloudFront passes everything on and keeps nothing", () => {
  const front = template.slice(template.indexOf("  Front:"), template.indexOf("  ViewerAddress:"));
  const times = (text) => front.split(text).length - 1;
  const behaviours = BEHAVIOURS.length + 1;
  assert.equal(times("CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad"), behaviours);
  assert.equal(times("OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-98738e2966ac"), behaviours, "the host is the origin's own");
  assert.equal(times("AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]"), behaviours);
  assert.equal(times("ViewerProtocolPolicy: redirect-to-https"), behaviours);
  assert.match(template, /InvokeMode: RESPONSE_STREAM\n/);
});

test("the viewer's address overwrites what a viewer writes", () => {
  const code = /FunctionCode: !Sub\n {8}- \|\n([\s\S]*?)\n {8}- Id:/.exec(template)[1].replaceAll("${Id}", "b1f5");
  const event = { viewer: { ip: "203.0.113.7" }, request: { headers: { "x-viewer-b1f5": { value: "198.51.100.9" } } } };
  const request = vm.runInNewContext(`${code}; handler(${JSON.stringify(event)})`);
  assert.equal(request.headers["x-viewer-b1f5"].value, "203.0.113.7");
  assert.match(template, /CLIENT_ADDRESS_HEADER: !Sub \["x-viewer-\$\{Id\}", \{ Id: !Select \[2, !Split \["\/", !Ref AWS::StackId\]\] \}\]/);
});
