// Docent's HTTP interface, reached through this app's own /api.

/** A refusal as Docent tells it (RFC 9457): what happened, what to do next, and whether to sign in again. */
export class Problem extends Error {
  constructor({ status = 0, code = "unknown", detail = "Something went wrong.", hint = "Try again in a moment." } = {}) {
    super([detail, hint].filter(Boolean).join(" "));
    Object.assign(this, { status, code });
  }
}

export async function call(path, { method = "GET", json, signal } = {}) {
  const response = await fetch(path, { method, signal, headers: json ? { "content-type": "application/json" } : {}, body: json && JSON.stringify(json) }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem({ code: "unreachable", detail: "Docent could not be reached.", hint: "Check that you are online, then try again." });
  });
  if (response.ok) return response.status === 204 ? null : response.json();
  throw new Problem({ status: response.status, ...(await response.json().catch(() => ({}))) });
}

/** What useChat throws holds the response's whole body as its message. */
export function problemOf(error) {
  try {
    return new Problem({ status: error.statusCode, ...JSON.parse(error.responseBody ?? error.message) });
  } catch {
    const told = /^[a-z_]+: ([^]*)$/.exec(error.message)?.[1];
    return new Problem(told ? { detail: told, hint: "" } : { detail: "The answer could not be had.", hint: "Check that you are online, then ask again." });
  }
}

/** Asks for a place, puts the bytes straight into the bucket, and says that they are there. */
export async function upload(file, progress) {
  const place = await call("/api/upload", { method: "POST", json: { filename: file.name, size: file.size, contentType: file.type || undefined } });
  await put(place.upload, file, progress);
  await call(`/api/upload/${place.documentId}/complete`, { method: "POST" });
}

/** XMLHttpRequest, because fetch tells nothing about bytes that are on their way out. */
function put({ method, url, headers }, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) if (!/^(host|content-length)$/i.test(name)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => progress(loaded / total);
    request.onload = () => (request.status < 300 ? resolve() : reject(new Problem({ detail: `The bucket refused the file (${request.status}).`, hint: "Try again." })));
    request.onerror = () => reject(new Problem({ detail: "The bucket could not be reached.", hint: "Does its CORS allow this origin?" }));
    request.send(file);
  });
}
