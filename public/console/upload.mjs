// One file's way in: ask for a place, put the bytes straight into the bucket, say that they are there.
import { Problem } from "./api.mjs";

// Hashing reads the whole file into memory; above this the bucket's own size check has to do.
const MAX_HASHED_BYTES = 32 * 1024 * 1024;
// A browser sets these itself and refuses them from a script.
const BROWSER_HEADERS = new Set(["host", "content-length"]);

/**
 * Answers `{documentId, status}`. `began(documentId)` comes before the first byte, `progress(share)` with the bytes; `more`
 * is what else the request says, such as what a file of the same name means.
 */
export async function upload(api, file, { began, progress, signal, more }) {
  const request = { filename: file.name, size: file.size, contentType: file.type || undefined, sha256: await digest(file), ...more };
  const place = await api.json("/api/upload", { method: "POST", json: request, signal });
  began(place.documentId);
  // The same bytes are there already.
  if (!place.upload) {
    const { status } = await api.json(`/api/documents/${encodeURIComponent(place.documentId)}`, { signal });
    return { documentId: place.documentId, status };
  }
  await put(place.upload, file, progress, signal);
  return api.json(`/api/upload/${encodeURIComponent(place.documentId)}/complete`, { method: "POST", signal });
}

/** XMLHttpRequest, because fetch tells nothing about bytes that are on their way out. */
function put({ method, url, headers }, file, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      if (!BROWSER_HEADERS.has(name.toLowerCase())) request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => (request.status >= 200 && request.status < 300 ? resolve() : reject(refused(request.status)));
    request.onerror = () => reject(new Problem({ code: "bucket_unreachable", detail: "The bucket could not be reached", hint: "Check the connection and that the bucket allows this page's origin, then try again" }));
    request.onabort = () => reject(new DOMException("The upload was stopped", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

function refused(status) {
  const hint = status === 403 ? "The upload link may have expired; try again" : "Try again in a moment";
  return new Problem({ status, code: "bucket_refused", detail: `The bucket refused the file (${status})`, hint });
}

async function digest(file) {
  if (file.size > MAX_HASHED_BYTES || !crypto.subtle) return undefined;
  try {
    const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    throw new Problem({ code: "unreadable_file", detail: `${file.name} could not be read`, hint: "It may have been moved, or it may be a folder; choose it again" });
  }
}
