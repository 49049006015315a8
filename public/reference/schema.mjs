// JSON Schemas as people read them: a type's name, and a list of fields whose own fields unfold.
import { el } from "../console/dom.mjs";

const REFERENCE = "#/components/schemas/";

/** A schema without its reference; the reference's name stays. */
export function resolved(api, schema) {
  const name = schema?.$ref?.startsWith(REFERENCE) && schema.$ref.slice(REFERENCE.length);
  return name ? { name, ...api.components.schemas[name], ...schema } : schema;
}

export function typeName(schema) {
  if (schema === undefined || schema === true) return "anything";
  if (schema.$ref) return schema.$ref.slice(REFERENCE.length);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(typeName))].join(" or ");
  const kinds = [schema.type ?? "anything"].flat();
  return kinds.map((kind) => (kind === "array" ? `list of ${typeName(schema.items)}` : kind === "string" && schema.format ? schema.format : kind)).join(" or ");
}

/** The fields of whatever object a schema leads to; nothing where it leads to none. */
export function fields(api, schema) {
  const object = objectIn(api, schema);
  if (!object) return undefined;
  const choices = (object.oneOf ?? object.anyOf ?? []).filter((choice) => objectIn(api, choice));
  const needed = new Set(object.required ?? []);
  const list = Object.entries(object.properties ?? {}).map(([name, field]) => fieldView(api, name, field, needed.has(name)));
  const folds = choices.map((choice) => fold(choiceName(choice), () => fields(api, choice)));
  return el("div", {}, object.description && el("p", { class: "muted" }, object.description), list.length > 0 && el("ul", { class: "fields" }, ...list), ...folds);
}

function fieldView(api, name, schema, needed) {
  const description = resolved(api, schema).description;
  const inner = objectIn(api, schema);
  return el("li", {},
    el("code", { class: "name" }, name),
    el("span", { class: "type" }, typeName(schema), limits(schema), needed && ", needed"),
    description && !inner && el("p", {}, description),
    inner && fold(`Fields of ${name}`, () => fields(api, schema)));
}

/** Drawn when it is opened: a type may hold itself. */
function fold(title, draw) {
  const node = el("details", {}, el("summary", {}, title));
  node.addEventListener("toggle", () => node.open && node.childElementCount === 1 && node.append(draw() ?? ""));
  return node;
}

function choiceName(choice) {
  const tag = Object.values(choice.properties ?? {}).find((field) => field.const !== undefined);
  return tag ? String(tag.const) : typeName(choice);
}

function objectIn(api, schema) {
  if (!schema || schema === true) return undefined;
  const own = resolved(api, schema);
  if (own.properties) return own;
  const choices = (own.oneOf ?? own.anyOf ?? []).map((choice) => objectIn(api, choice)).filter(Boolean);
  if (choices.length === 1) return choices[0];
  if (choices.length > 1) return own;
  return objectIn(api, own.items) ?? objectIn(api, typeof own.additionalProperties === "object" ? own.additionalProperties : undefined);
}

function limits(schema) {
  const said = [];
  if (schema.minLength !== undefined || schema.maxLength !== undefined) said.push(`${schema.minLength ?? 0} to ${schema.maxLength ?? "any"} characters`);
  if (schema.minItems !== undefined || schema.maxItems !== undefined) said.push(`${schema.minItems ?? 0} to ${schema.maxItems ?? "any"} of them`);
  if (schema.minimum !== undefined && schema.maximum !== undefined) said.push(`${schema.minimum} to ${schema.maximum}`);
  if (schema.default !== undefined && schema.default !== null && typeof schema.default !== "object") said.push(`${JSON.stringify(schema.default)} unless said`);
  return said.length ? `, ${said.join(", ")}` : undefined;
}
