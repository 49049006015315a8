// The documentation page's entry: draws openapi.json by area, filters it, and opens what the address names.
import { announce, el, plural } from "./console/dom.mjs";
import { themeButton } from "./console/theme.mjs";
import { operationView } from "./reference/operation.mjs";

const METHODS = ["get", "post", "put", "patch", "delete"];
const find = (selector) => document.querySelector(selector);

themeButton(find("#theme"));

try {
  const response = await fetch("./openapi.json");
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  draw(await response.json());
} catch (error) {
  find("#problem").textContent = `The description could not be loaded: ${error.message}. Reload the page to try again.`;
}

function draw(api) {
  find("#about").textContent = api.info.description;
  for (const [name, scheme] of Object.entries(api.components.securitySchemes)) {
    find("#schemes").append(el("dt", {}, el("code", {}, name)), el("dd", {}, scheme.description));
  }
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => operationView(api, { path, method, ...methods[method] })));
  const areas = api.tags.map((tag) => areaView(tag, operations.filter((operation) => operation.area === tag.name)));
  find("#contents").append(...areas.map(({ name }) => el("a", { href: `#${name}` }, name)));
  find("#areas").append(...areas.map((area) => area.node));
  const wanted = find("#filter");
  wanted.addEventListener("input", () => filter(areas, wanted.value));
  // Typed before the description was here, or kept by the browser through a reload.
  if (wanted.value) filter(areas, wanted.value);
  addEventListener("hashchange", () => open(operations));
  open(operations);
}

function areaView({ name, description }, operations) {
  const heading = el("h2", { id: name, tabindex: "-1" }, name);
  const node = el("section", { class: "area", "aria-labelledby": name }, heading, el("p", { class: "muted" }, description), ...operations.map((operation) => operation.node));
  return { name, node, operations };
}

/** Shows the operations that have every word of the filter somewhere in their method, address or words. */
function filter(areas, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { node, operations } of areas) {
    for (const operation of operations) operation.node.hidden = !words.every((word) => operation.words.includes(word));
    const here = operations.filter((operation) => !operation.node.hidden).length;
    node.hidden = here === 0;
    shown += here;
  }
  find("#problem").textContent = shown === 0 ? "No operation has all of these words." : "";
  announce(plural(shown, "operation"));
}

/** Opens the operation that the address names and brings it into view. */
function open(operations) {
  const wanted = operations.find((operation) => `#${operation.node.id}` === location.hash);
  if (!wanted) return;
  wanted.node.open = true;
  wanted.node.hidden = wanted.node.parentElement.hidden = false;
  wanted.node.scrollIntoView();
}
