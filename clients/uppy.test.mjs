// Uppy's own S3 plugin, unmodified, against POST /api/upload/{id}/sign and the real bucket: whole and in parts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api } from "./client.mjs";

const docent = { url: process.env.DOCENT_URL, token: process.env.DOCENT_TOKEN };
const skip = docent.url ? false : "needs DOCENT_URL: the mock has no bucket";
const PART = 5 * 1024 * 1024;

/** As much of a browser's XMLHttpRequest as Uppy uses; Node has fetch only. */
class Request extends EventTarget {
  upload = new EventTarget();
  status = 0;
  responseText = "";
  #headers = {};
  #answered = new Headers();
  #aborter = new AbortController();
  open(method, url) {
    Object.assign(this, { method, url });
  }
  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }
  getResponseHeader(name) {
    return this.#answered.get(name);
  }
  abort() {
    this.#aborter.abort();
  }
  async send(body) {
    try {
      const response = await fetch(this.url, { method: this.method, headers: this.#headers, body: body ?? undefined, signal: this.#aborter.signal });
      this.responseText = await response.text();
      [this.status, this.#answered] = [response.status, response.headers];
      this.onload?.({ target: this });
    } catch (error) {
      this.onerror?.(error);
    }
  }
}

async function upload(text, shouldUseMultipart) {
  const call = api(docent);
  const filename = `uppy-${shouldUseMultipart ? "parts" : "whole"}.txt`;
  const file = new Blob([text], { type: "text/plain" });
  const { documentId } = await call("POST", "/api/upload", { filename, contentType: "text/plain", size: file.size });
  const { default: Uppy } = await import("@uppy/core");
  const { default: AwsS3 } = await import("@uppy/aws-s3");
  const asked = [];
  const uppy = new Uppy({ autoProceed: false }).use(AwsS3, {
    shouldUseMultipart,
    getChunkSize: () => PART,
    signRequest: (request) => {
      asked.push(`${request.method}${request.uploadId ? " upload" : ""}${request.partNumber ? ` part ${request.partNumber}` : ""}`);
      return call("POST", `/api/upload/${documentId}/sign`, request);
    },
  });
  uppy.addFile({ name: filename, type: "text/plain", data: file });
  const { successful, failed } = await uppy.upload();
  assert.deepEqual(failed.map((one) => one.error), []);
  assert.equal(successful.length, 1);
  await call("POST", `/api/upload/${documentId}/complete`);
  try {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 100))) {
      const document = await call("GET", `/api/documents/${documentId}`);
      assert.notEqual(document.status, "failed", JSON.stringify(document.error));
      if (document.status === "ready") return { asked, document, size: file.size };
    }
    throw new Error("it was not ready in time");
  } finally {
    await call("DELETE", `/api/documents/${documentId}`);
  }
}

function browser() {
  globalThis.XMLHttpRequest = Request;
  globalThis.window ??= globalThis;
  globalThis.navigator ??= { onLine: true };
  globalThis.addEventListener ??= () => {};
  globalThis.removeEventListener ??= () => {};
}

test("Uppy sends a file at once", { skip }, async () => {
  browser();
  const { asked, document, size } = await upload("The lantern of Kampen turns twice a minute. ".repeat(20), false);
  assert.deepEqual(asked, ["PUT"]);
  assert.equal(document.size, size);
});

test("Uppy sends a file in parts", { skip }, async () => {
  browser();
  const sentence = "The lantern of Kampen turns twice a minute, and its keeper notes the wind.\n";
  const { asked, document, size } = await upload(sentence.repeat(Math.ceil((PART + 100_000) / sentence.length)), true);
  assert.equal(asked[0], "POST");
  assert.deepEqual(asked.slice(1, -1).sort(), ["PUT upload part 1", "PUT upload part 2"]);
  assert.equal(asked.at(-1), "POST upload");
  assert.equal(document.size, size);
});
