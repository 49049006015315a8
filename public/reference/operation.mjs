// One operation: what it takes, what it answers, and a line for the shell. Its inside is drawn when it is first opened.
import { el } from "../console/dom.mjs";
import { curl } from "./example.mjs";
import { fields, typeName } from "./schema.mjs";

export function operationView(api, operation) {
  const { method, path, operationId, summary, description = "", tags } = operation;
  const head = el("summary", {}, el("span", { class: `method ${method}` }, method.toUpperCase()), el("code", { class: "path" }, path), el("span", { class: "muted" }, summary));
  const node = el("details", { class: "operation", id: operationId }, head);
  node.addEventListener("toggle", () => {
    if (node.open && node.childElementCount === 1) node.append(inside(api, operation));
  });
  return { node, area: tags[0], words: `${method} ${path} ${operationId} ${summary} ${description}`.toLowerCase() };
}

function inside(api, operation) {
  const parameters = operation.parameters ?? [];
  const body = operation.requestBody?.content["application/json"]?.schema;
  return el("div", { class: "operation-body" },
    operation.description && el("p", {}, operation.description),
    el("p", { class: "muted" }, credentials(operation.security), " ", el("a", { href: `#${operation.operationId}` }, "Link to this")),
    parameters.length > 0 && part("Parameters", el("ul", { class: "fields" }, ...parameters.map(parameterView(api)))),
    body && part("Body", el("p", {}, typeName(body)), fields(api, body)),
    part("Answers", el("ul", { class: "answers" }, ...Object.entries(operation.responses).map(([status, response]) => answerView(api, status, response)))),
    part("Example", exampleView(curl(api, operation, location.origin))),
  );
}

function part(title, ...children) {
  return el("section", {}, el("h3", {}, title), ...children);
}

function parameterView(api) {
  return ({ name, in: where, required, description, schema }) =>
    el("li", {}, el("code", { class: "name" }, name), el("span", { class: "type" }, `${typeName(schema)}, in the ${where}${required ? ", needed" : ""}`), description && el("p", {}, description), fields(api, schema));
}

function answerView(api, status, response) {
  const name = response.$ref?.split("/").at(-1);
  const { description, content = {} } = name ? api.components.responses[name] : response;
  const lines = description.split("\n\n");
  const media = Object.entries(content).map(([type, { schema }]) => {
    const item = schema.properties?.data?.contentSchema;
    return el("div", {}, el("span", { class: "type" }, `${type}: ${item !== undefined ? `events of ${typeName(item)}` : typeName(schema)}`), fields(api, item ?? schema));
  });
  const words = name ? el("details", {}, el("summary", {}, name === "default" ? "any other failure" : codes(lines)), ...lines.map((line) => el("p", {}, plain(line))), ...media) : el("div", {}, el("span", {}, description), ...media);
  return el("li", {}, el("span", { class: "status" }, status), words);
}

function codes(lines) {
  return lines.map((line) => line.split("`")[1]).join(", ");
}

/** Descriptions are Markdown of the simplest kind. */
function plain(text) {
  return text.replaceAll("`", "");
}

function credentials(security) {
  if (security.length === 0) return "Open to everybody.";
  const one = (scheme) => Object.entries(scheme).map(([name, scopes]) => (scopes.length ? `${name} (scope ${scopes.join(", ")})` : name));
  return `Needs ${security.flatMap(one).join(" or ")}.`;
}

function exampleView(text) {
  const copy = el("button", { type: "button", class: "quiet" }, "Copy");
  copy.addEventListener("click", async () => {
    const copied = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Select it to copy it");
    copy.textContent = copied;
  });
  return el("div", { class: "example" }, el("pre", { tabindex: "0", "aria-label": "For the shell" }, el("code", {}, text)), copy);
}
