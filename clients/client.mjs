// Docent by plain fetch, for tests that need a document in before they begin.

const PATIENCE_MS = 60_000;

export function api({ url, token }) {
  return async (method, path, json) => {
    const headers = { authorization: `Bearer ${token}`, ...(json && { "content-type": "application/json" }) };
    const response = await fetch(url + path, { method, headers, body: json && JSON.stringify(json) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  };
}

/** Adds a file and answers its document once it is ready. */
export async function addDocument(docent, { name, mimeType, buffer }) {
  const call = api(docent);
  const { documentId, upload } = await call("POST", "/api/upload", { filename: name, contentType: mimeType, size: buffer.length });
  const put = await fetch(upload.url, { method: upload.method, headers: upload.headers, body: buffer });
  if (!put.ok) throw new Error(`the bucket refused ${name}: ${put.status} ${await put.text()}`);
  await call("POST", `/api/upload/${documentId}/complete`);
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
    const document = await call("GET", `/api/documents/${documentId}`);
    if (document.status === "ready") return document;
    if (document.status === "failed") throw new Error(`${name} failed: ${JSON.stringify(document.error)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${name} was not ready after ${PATIENCE_MS} ms`);
}
