// Sessions as the front ends make them: next-auth 4 and the core of Auth.js 5, unmodified, cookies cut by their own code.
import { createRequire } from "node:module";
import path from "node:path";
import { encode as encode5 } from "@auth/core/jwt";
import { hkdf } from "@panva/hkdf";
import * as jose from "jose";

const require = createRequire(import.meta.url);
const { encode: encode4 } = require("next-auth/jwt");
// The code that cuts cookies is not exported.
const { SessionStore: Store4 } = require(path.join(path.dirname(require.resolve("next-auth/jwt")), "../core/lib/cookie.js"));
const { SessionStore: Store5 } = await import(new URL("lib/utils/cookie.js", import.meta.resolve("@auth/core/jwt")).href);

export const FOUR = ["__Secure-next-auth.session-token", "next-auth.session-token"];
export const FIVE = ["__Secure-authjs.session-token", "authjs.session-token"];
const quiet = { debug() {} };

export const four = (token, secret, maxAge) => encode4({ token, secret, maxAge });
export const five = (token, secret, salt, maxAge) => encode5({ token, secret, salt, maxAge });

/** Version 4 has no salt, version 5 salts with the cookie's name. */
export const keyOf = (secret, salt, length) =>
  salt === ""
    ? hkdf("sha256", secret, "", "NextAuth.js Generated Encryption Key", length)
    : hkdf("sha256", secret, salt, `Auth.js Generated Encryption Key (${salt})`, length);

export const kidOf = (key) =>
  jose.calculateJwkThumbprint({ kty: "oct", k: jose.base64url.encode(key) }, `sha${key.byteLength * 8}`);

export const encrypted = (token, key, header) => new jose.EncryptJWT(token).setProtectedHeader(header).encrypt(key);

/** The `Cookie` header that a browser would send back. */
export function cookies(name, value) {
  const store = name.includes("next-auth")
    ? new Store4({ name, options: {} }, { cookies: {} }, quiet)
    : new Store5({ name, options: {} }, {}, quiet);
  return pieces(store.chunk(value, {}));
}

export const pieces = (found) => found.map(({ name, value }) => `${name}=${value}`).join("; ");
