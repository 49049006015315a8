// A line for the shell that calls an operation: every value that it needs, and nothing else.
import { resolved } from "./schema.mjs";

const CREDENTIALS = {
  secretKey: ["authorization: Bearer $DOCENT_TOKEN"],
  publishableKey: ["authorization: Bearer $DOCENT_PUBLISHABLE_KEY", "origin: https://shop.example"],
  ingestSignature: ["x-ingest-signature: t=$TIME,v1=$SIGNATURE"],
  operatorSecret: ["authorization: Bearer $CRON_SECRET"],
};

export function curl(api, { method, path, parameters = [], requestBody, security, responses }, origin) {
  const needed = parameters.filter((parameter) => parameter.required && parameter.in === "query");
  const query = needed.map(({ name, schema }) => `${name}=${encodeURIComponent(sample(api, schema, name))}`).join("&");
  const address = path.replaceAll(/{(\w+)}/g, (_, name) => `$${name.toUpperCase()}`);
  const headers = [...(CREDENTIALS[Object.keys(security[0] ?? {})[0]] ?? [])];
  const schema = requestBody?.content["application/json"]?.schema;
  if (schema) headers.push("content-type: application/json");
  const streams = Object.values(responses).some((response) => response.content?.["text/event-stream"]);
  const parts = [`curl${streams ? " --no-buffer" : ""}${method === "get" ? "" : ` -X ${method.toUpperCase()}`} "${origin}${address}${query && `?${query}`}"`];
  parts.push(...headers.map((header) => `-H "${header}"`));
  if (schema) parts.push(`-d '${JSON.stringify(sample(api, schema), null, 2).replaceAll("'", "'\\''")}'`);
  return parts.join(" \\\n  ");
}

/** The smallest value that a schema lets through, with the fields that it needs. */
export function sample(api, schema, name = "", depth = 0) {
  const own = resolved(api, schema);
  if (!own || own === true || depth > 5) return {};
  if (own.examples?.length) return own.examples[0];
  if ("const" in own) return own.const;
  if (own.enum) return own.enum[0];
  const choices = own.anyOf ?? own.oneOf;
  if (choices) return sample(api, choices[0], name, depth + 1);
  switch ([own.type].flat()[0]) {
    case "string":
      return { uuid: "01990000-0000-7000-8000-000000000000", "date-time": "2026-01-31T12:00:00Z" }[own.format] ?? (name || "text");
    case "integer":
    case "number":
      return own.minimum ?? 1;
    case "boolean":
      return true;
    case "array":
      return [sample(api, own.items, name, depth + 1)];
    default:
      return Object.fromEntries((own.required ?? []).map((field) => [field, sample(api, own.properties?.[field], field, depth + 1)]));
  }
}
