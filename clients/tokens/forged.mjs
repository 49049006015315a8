// Signed tokens that must be refused, each with the reason where only one is right.
import { constants } from "node:crypto";
import { attackers, forge, NOW, sign } from "./issuers.mjs";

const PEM = (key, type, format) => key.publicKey.export({ type, format });

/** Every way to be wrong that one good token of an issuer can be bent into. */
export async function* forged(all, random) {
  const names = Object.keys(all);
  for (const [at, issuer] of Object.values(all).entries()) {
    const other = all[names[(at + 1) % names.length]];
    for (const key of issuer.keys) {
      const good = () => JSON.parse(JSON.stringify(issuer.claims("user-1", { org: "org_1", role: "viewer" })));
      const header = JSON.parse(JSON.stringify(issuer.header ?? {}));
      const refused = (what, bearer, reason) => ({ case: `${issuer.name}, ${key.alg}: ${what}`, bearer, reason });
      const context = { issuer, other, key, good, header, refused };
      yield* claims(context);
      yield* headers(context);
      yield* keys(context, await sign(key, good(), header));
      yield* bent(context, await sign(key, good(), header), random);
    }
  }
  yield* clerk(all);
}

function* claims({ issuer, other, key, good, header, refused }) {
  const skew = issuer.name === "clerk" ? 5 : 15;
  const wrong = {
    session_expired: [{ exp: NOW - skew }, { exp: NOW - 3600 }, { exp: 0 }, { exp: -1 }],
    session_without_expiry: [{ exp: undefined }],
    session_not_yet_valid: [{ nbf: NOW + skew + 1 }, { nbf: NOW + 3600 }, { iat: NOW + skew + 1 }],
    session_malformed: [{ exp: String(NOW + 3600) }, { exp: null }, { nbf: "0" }, { iat: {} }],
    session_issuer_unknown: [
      { iss: issuer.iss.replace(/\/?$/, (end) => (end ? "" : "/")) },
      { iss: issuer.iss.toUpperCase() },
      { iss: "https://issuer.example" },
      { iss: [issuer.iss] },
      { iss: undefined },
    ],
    session_subject: [{ sub: "" }, { sub: undefined }, { sub: 1 }, { sub: "a\u0000b" }, { sub: "x".repeat(501) }],
  };
  if (good().aud) {
    const audiences = ["somebody-else", `${good().aud} `, ["x", "y"], [], undefined, { docent: true }, String(good().aud).toUpperCase()];
    wrong.session_audience = audiences.map((aud) => ({ aud }));
  }
  const party = issuer.name === "logto" || issuer.name === "cognito" ? "client_id" : "azp";
  if (good()[party] && issuer.name !== "a provider with Ed25519") {
    const parties = ["somebody-else", `${good()[party]}.evil.example`, [good()[party]], undefined, null, "", "native"];
    wrong.session_party = parties.map((value) => ({ [party]: value }));
  }
  for (const [reason, changes] of Object.entries(wrong)) {
    for (const change of changes) {
      yield refused(JSON.stringify(change), forge(key, { ...good(), ...change }, header), reason);
    }
  }
  // Signed by one issuer in the name of another: its keys are looked for among the other's.
  yield refused("another issuer's name", forge(key, { ...good(), iss: other.iss }, header));
  yield refused("another issuer's key", forge(other.keys[0], good(), { ...header, kid: key.kid }));
  for (const text of ["[]", "null", "1", '"text"', "{", "", '{"exp":1e400}', "[".repeat(5000)]) {
    yield refused(`claims ${text.slice(0, 9)}`, forge(key, text, header), "session_malformed");
  }
}

function* headers({ key, good, header, refused }) {
  const wrong = {
    session_critical_extension: [{ crit: ["exp"] }, { crit: ["b64"], b64: false }, { crit: [] }],
    session_embedded_key: [
      { jku: "https://evil.example/jwks.json" },
      { x5u: "https://evil.example/cert.pem" },
      { x5c: ["MIIB"] },
      { jwk: attackers(key).jwk ?? { kty: "oct", k: "AAAA" } },
    ],
    session_type: ["logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", "", "at+jwt+x"].map((typ) => ({ typ })),
    session_malformed: [{ alg: undefined }, { alg: ["RS256"] }, { kid: 1 }, { kid: ["a"] }, { typ: 1 }],
  };
  for (const [reason, changes] of Object.entries(wrong)) {
    for (const change of changes) yield refused(JSON.stringify(change), forge(key, good(), { ...header, ...change }), reason);
  }
  for (const alg of ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "PS256", "ES256K", "ES512", "RSA-OAEP", "dir"]) {
    yield refused(`alg ${alg}, no signature`, forge(key, good(), { ...header, alg }, ""), "session_algorithm");
    yield refused(`alg ${alg}, a real signature`, forge(key, good(), { ...header, alg }), "session_algorithm");
  }
  for (const alg of ["RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA", "HS256"].filter((alg) => alg !== key.alg)) {
    yield refused(`alg ${alg} instead`, forge(key, good(), { ...header, alg }));
  }
}

function* keys({ key, good, header, refused }, token) {
  const stranger = attackers(key);
  yield refused("an attacker's key under the right name", forge(stranger, good(), header), "session_forged");
  const embedded = { ...header, jwk: stranger.jwk };
  yield refused("an attacker's key brought along", forge(stranger, good(), embedded));
  if (!key.secret) {
    for (const kid of ["nobody", "", "../../../../dev/null", "' or 1=1 --", "enc-1", "oct-1", "__proto__", "x".repeat(9000)]) {
      yield refused(`kid ${kid.slice(0, 20)}`, forge(key, good(), { ...header, kid }), "session_key_unknown");
    }
    const secrets = [["spki", "pem"], ["spki", "der"], ...(key.alg.startsWith("RS") ? [["pkcs1", "pem"], ["pkcs1", "der"]] : [])];
    const material = [...secrets.map(([type, format]) => PEM(key, type, format)), JSON.stringify(key.jwk), ""];
    material.push(Buffer.from(key.jwk.n ?? key.jwk.x, "base64url"), PEM(key, "spki", "pem").trim(), "a secret that was published by mistake");
    for (const secret of material) {
      const confused = { alg: "HS256", kid: key.kid, secret };
      for (const kid of [key.kid, "oct-1", undefined]) {
        yield refused("HS256 with the public key as its secret", forge(confused, good(), { ...header, kid }), "session_algorithm");
      }
    }
  }
  if (key.alg.startsWith("RS")) {
    const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    yield refused("PSS under PKCS #1's name", forge({ ...key, padding }, good(), header), "session_forged");
  }
  if (key.alg.startsWith("ES")) {
    const size = key.alg === "ES256" ? 64 : 96;
    yield refused("a signature of zeros", forge(key, good(), header, Buffer.alloc(size).toString("base64url")), "session_forged");
    yield refused("a signature in DER", forge({ ...key, padding: { dsaEncoding: "der" } }, good(), header), "session_forged");
  }
  yield refused("no signature", token.replace(/[^.]*$/, ""), "session_forged");
}

/** Truncated, flipped, reassembled. */
function* bent({ key, good, refused }, token, random) {
  const parts = token.split(".");
  for (let at = 0; at < 15; at++) {
    yield refused("truncated", token.slice(0, random(token.length)));
    const place = random(token.length);
    const flipped = String.fromCharCode(token.charCodeAt(place) ^ (1 << random(7)));
    yield refused(`a bit flipped at ${place}`, token.slice(0, place) + flipped + token.slice(place + 1));
    const piece = random(3);
    const bytes = Buffer.from(parts[piece], "base64url");
    bytes[random(bytes.length)] ^= 1 << random(8);
    yield refused(`a byte changed in part ${piece}`, parts.with(piece, bytes.toString("base64url")).join("."));
  }
  const more = Buffer.from(JSON.stringify({ ...good(), sub: "somebody-else" })).toString("base64url");
  yield refused("claims of somebody else", [parts[0], more, parts[2]].join("."), "session_forged");
  yield refused("padding", `${token}=`, "session_malformed");
  yield refused("four parts", `${token}.`, "session_malformed");
  yield refused("two parts", parts.slice(0, 2).join("."), "session_malformed");
  yield refused("too large", forge(key, { ...good(), filler: "x".repeat(16_384) }), "session_too_large");
}

function* clerk({ clerk, auth0, cognito, logto, supabase }) {
  const [key] = clerk.keys;
  const good = () => clerk.claims("user-1", { org: "org_1", role: "admin" });
  const refused = (what, claims, reason, header) => ({ case: `clerk: ${what}`, bearer: forge(key, claims, header), reason });
  yield refused("not signed in yet", { ...good(), sts: "pending" }, "session_pending");
  yield refused("a template's audience", { ...good(), aud: "hasura" }, "session_audience");
  yield refused("an access token", good(), "session_type", { typ: "at+jwt" });
  for (const azp of ["https://app.example.com/", "http://app.example.com", "https://app.example.com.evil.example", "https://evil.example"]) {
    yield refused(`azp ${azp}`, { ...good(), azp }, "session_party");
  }
  for (const id of [1, "", ["org_1"], {}, "a\nb"]) {
    yield refused("a crooked organisation", { ...good(), o: { id, rol: "admin" } }, "session_organisation");
  }
  const foreign = forge(auth0.keys[0], auth0.claims("user-1"));
  yield { case: "another issuer's token in Clerk's cookie", cookies: `__session=${foreign}`, reason: "session_issuer_unknown" };
  const own = forge(key, good());
  yield { case: "Clerk's token in a cookie of Auth.js", cookies: `authjs.session-token=${own}`, reason: "session_malformed" };
  yield { case: "Clerk's token cut up", cookies: `__session=${own.slice(0, 300)}`, reason: undefined };
  const identity = { ...cognito.claims("user-1"), client_id: undefined, aud: "cognito-app", token_use: "id" };
  yield { case: "cognito: an identity token where applications are pinned", bearer: forge(cognito.keys[0], identity), reason: "session_party" };
  const limited = { ...logto.claims("user-1"), iss: logto.iss };
  yield { case: "logto: an algorithm that the operator left out", bearer: forge(supabase.keys[0], limited, { kid: "logto-1" }), reason: "session_algorithm" };
  yield { case: "auth0: a key that is too short", bearer: forge(auth0.weak, auth0.claims("user-1")), reason: "session_forged" };
}
