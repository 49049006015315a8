// The issuers of the test: their keys, what they publish, how their tokens look, and how Docent is told about them.
import { createHmac, generateKeyPairSync, sign as signature } from "node:crypto";
import * as jose from "jose";

/** Where the reader's clock stands, in seconds. */
export const NOW = 1_790_000_000;

const pair = (type, options, alg, kid) => {
  const { privateKey, publicKey } = generateKeyPairSync(type, options);
  return { privateKey, alg, kid, publicKey, jwk: { ...publicKey.export({ format: "jwk" }), alg, kid, use: "sig" } };
};
const rsa = (alg, kid, modulusLength = 2048) => pair("rsa", { modulusLength }, alg, kid);
const ec = (alg, kid) => pair("ec", { namedCurve: { ES256: "P-256", ES384: "P-384" }[alg] }, alg, kid);

/** A token as a public library signs it. */
export function sign(key, claims, header = {}) {
  const all = { alg: key.alg, kid: key.kid, typ: "JWT", ...header };
  const present = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new jose.SignJWT(claims).setProtectedHeader(present).sign(key.privateKey ?? key.secret);
}

const part = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** A token with any header and any claims, which no library would sign. `mark` may stand for the signature. */
export function forge(key, claims, header = {}, mark) {
  const signed = `${part({ alg: key.alg, kid: key.kid, typ: "JWT", ...header })}.${part(claims)}`;
  if (mark !== undefined) return `${signed}.${mark}`;
  if ("secret" in key) return `${signed}.${createHmac("sha256", key.secret).update(signed).digest("base64url")}`;
  const hash = key.alg === "EdDSA" ? null : `sha${key.alg.slice(2)}`;
  const options = { key: key.privateKey, dsaEncoding: "ieee-p1363", ...key.padding };
  return `${signed}.${signature(hash, Buffer.from(signed), options).toString("base64url")}`;
}

export function issuers(port) {
  const here = (path) => `http://localhost:${port}/${path}`;
  const common = (sub) => ({ sub, iat: NOW - 60, exp: NOW + 3600 });
  const clerk = {
    name: "clerk",
    iss: here("clerk"),
    keys: [rsa("RS256", "ins_1"), rsa("RS384", "ins_2"), rsa("RS512", "ins_3")],
    claims(sub, { org, role, v1 } = {}) {
      const short = { exp: NOW + 60, iat: NOW - 2, nbf: NOW - 12 };
      const organisation = v1
        ? { org_id: org, org_role: role && `org:${role}`, org_slug: "acme" }
        : { v: 2, o: org && { id: org, rol: role, slg: "acme", per: "read" } };
      const session = { sid: "sess_1", sts: "active", fva: [5, -1], azp: "https://app.example.com" };
      return { iss: this.iss, sub, ...short, ...session, ...organisation };
    },
  };
  const logto = {
    name: "logto",
    iss: here("logto/oidc"),
    keys: [ec("ES384", "logto-1")],
    header: { typ: "at+jwt" },
    claims(sub, { org, role } = {}) {
      const client = { client_id: "logto-app", aud: "https://docent.example/api", scope: "chat" };
      return { iss: this.iss, ...common(sub), ...client, jti: "j1", organization_id: org, roles: role && [role] };
    },
  };
  const auth0 = {
    name: "auth0",
    // Its issuer ends in a slash, which discovery takes off and the comparison does not.
    iss: here("auth0/"),
    keys: [rsa("RS256", "auth0-old"), rsa("RS256", "auth0-new")],
    claims(sub, { org, role } = {}) {
      const audiences = ["https://docent.example/api", `${here("auth0/")}userinfo`];
      const client = { aud: audiences, azp: "auth0-app", scope: "openid profile" };
      const more = { org_id: org, "https://docent.example/role": role };
      return { iss: this.iss, ...common(`auth0|${sub}`), ...client, ...more };
    },
  };
  const supabase = {
    name: "supabase",
    iss: here("supabase/auth/v1"),
    keys: [ec("ES256", "7a1c"), rsa("RS256", "5b2d")],
    claims(sub, { org, role } = {}) {
      const session = { aud: "authenticated", role: "authenticated", aal: "aal1", session_id: "s1", is_anonymous: false };
      return { iss: this.iss, ...common(sub), ...session, app_metadata: { provider: "email", org, role }, user_metadata: {} };
    },
  };
  const legacy = {
    ...supabase,
    name: "supabase with a shared secret",
    iss: here("legacy/auth/v1"),
    keys: [{ alg: "HS256", secret: Buffer.from("the-jwt-secret-of-an-old-project-of-supabase") }],
  };
  const cognito = {
    name: "cognito",
    iss: here("cognito/eu-west-1_Pool"),
    keys: [rsa("RS256", "cognito-access"), rsa("RS256", "cognito-id")],
    header: { typ: undefined },
    claims(sub, { org, role } = {}) {
      const access = { client_id: "cognito-app", token_use: "access", auth_time: NOW - 60, version: 2 };
      return { iss: this.iss, ...common(sub), ...access, "custom:org": org, "cognito:groups": role && [role] };
    },
  };
  const edwards = {
    name: "a provider with Ed25519",
    iss: here("edwards"),
    keys: [pair("ed25519", undefined, "EdDSA", "ed-1")],
    claims(sub, { org, role } = {}) {
      return { iss: this.iss, ...common(sub), aud: "docent", azp: "edwards-app", org, role };
    },
  };
  return { clerk, logto, auth0, supabase, legacy, cognito, edwards };
}

/** What a front end encrypts with, the newest first; the last one was retired. */
export const SECRETS = ["f1-newest-secret-of-the-front-end", "f2-older-secret-of-the-front-end", "f3-secret-under-the-old-name"];
export const RETIRED = "f0-secret-that-was-taken-away-again";
export const OWN_COOKIE = "acme.session";

export function environment(all) {
  const { clerk, logto, auth0, supabase, legacy, cognito, edwards } = all;
  const audience = "https://docent.example/api";
  return {
    ALLOW_LOOPBACK_PROVIDERS: "1",
    AUTH_SECRET: JSON.stringify([SECRETS[0]]),
    AUTH_SECRET_1: SECRETS[1],
    NEXTAUTH_SECRET: SECRETS[2],
    AUTH_COOKIE: OWN_COOKIE,
    AUTH_ORG_CLAIM: "org",
    AUTH_ROLE_CLAIM: "role",
    CLERK_ISSUER: clerk.iss,
    CLERK_AUTHORIZED_PARTIES: "https://app.example.com, https://admin.example.com",
    OIDC_LOGTO_ISSUER: logto.iss,
    OIDC_LOGTO_AUDIENCE: audience,
    OIDC_LOGTO_AZP: "logto-app",
    OIDC_LOGTO_ALGORITHMS: "ES384",
    OIDC_LOGTO_ORG_CLAIM: "organization_id",
    OIDC_LOGTO_ROLE_CLAIM: "roles",
    OIDC_AUTH0_ISSUER: auth0.iss,
    OIDC_AUTH0_AUDIENCE: audience,
    OIDC_AUTH0_AZP: "auth0-app auth0-spa",
    OIDC_AUTH0_ORG_CLAIM: "org_id",
    OIDC_AUTH0_ROLE_CLAIM: "https://docent.example/role",
    OIDC_SUPABASE_ISSUER: supabase.iss,
    OIDC_SUPABASE_AUDIENCE: "authenticated",
    OIDC_SUPABASE_ORG_CLAIM: "/app_metadata/org",
    OIDC_SUPABASE_ROLE_CLAIM: "/app_metadata/role",
    OIDC_LEGACY_ISSUER: legacy.iss,
    OIDC_LEGACY_AUDIENCE: "authenticated",
    OIDC_LEGACY_SECRET: legacy.keys[0].secret.toString(),
    OIDC_LEGACY_ORG_CLAIM: "/app_metadata/org",
    OIDC_LEGACY_ROLE_CLAIM: "/app_metadata/role",
    OIDC_COGNITO_ISSUER: cognito.iss,
    OIDC_COGNITO_AZP: "cognito-app",
    OIDC_COGNITO_ORG_CLAIM: "custom:org",
    OIDC_COGNITO_ROLE_CLAIM: "cognito:groups",
    OIDC_ISSUER: edwards.iss,
    OIDC_AUDIENCE: "docent",
    OIDC_ORG_CLAIM: "org",
    OIDC_ROLE_CLAIM: "role",
    OIDC_JWKS_URL: `${edwards.iss}/keys`,
  };
}

/** Path → document, as the issuers serve them. Keys for other purposes lie among those that count. */
export function documents(all) {
  const encryption = { ...rsa("RSA-OAEP", "enc-1").jwk, use: "enc" };
  const shared = { kty: "oct", k: part("a secret that was published by mistake"), alg: "HS256", kid: "oct-1" };
  const served = {};
  for (const issuer of Object.values(all).filter((issuer) => issuer.keys[0].jwk)) {
    const path = new URL(issuer.iss).pathname.replace(/\/$/, "");
    const keys = [encryption, shared, ...issuer.keys.map((key) => key.jwk), ...(issuer.weak ? [issuer.weak.jwk] : [])];
    const address = issuer.name === "clerk" ? `${path}/.well-known/jwks.json` : `${path}/keys`;
    served[address] = { keys };
    const jwks_uri = new URL(address, issuer.iss).href;
    served[`${path}/.well-known/openid-configuration`] = { issuer: issuer.iss, jwks_uri };
  }
  return served;
}

/** A key that its issuer publishes although it is too short to be believed. */
export const weakKey = () => rsa("RS256", "weak", 1024);
export const attackers = (key) =>
  key.secret
    ? { ...key, secret: Buffer.from("what somebody guessed to be the shared secret") }
    : key.alg.startsWith("RS")
      ? rsa(key.alg, key.kid)
      : key.alg === "EdDSA"
        ? pair("ed25519", undefined, "EdDSA", key.kid)
        : ec(key.alg, key.kid);
