// Encrypted sessions that must be refused.
import { createCipheriv, createHmac } from "node:crypto";
import { FIVE, FOUR, cookies, encrypted, five, four, keyOf, kidOf } from "./authjs.mjs";
import { NOW, RETIRED, SECRETS } from "./issuers.mjs";

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export async function* crooked(clock, random) {
  const makers = [
    { version: 4, names: FOUR, others: FIVE, make: (name, token, secret, age) => four(token, secret, age) },
    { version: 5, names: FIVE, others: FOUR, make: (name, token, secret, age) => five(token, secret, name, age) },
  ];
  for (const { version, names, others, make } of makers) {
    for (const name of names) {
      const refused = (what, value, reason) => ({ case: `Auth.js ${version}: ${what}`, ...value, reason });
      const there = (text) => ({ cookies: cookies(name, text) });
      const token = { sub: "user-1", org: "org_1", role: "admin" };
      for (const secret of SECRETS) {
        for (const [issued, age] of [[NOW - 60, 45], [NOW - 7200, 3600], [NOW - 60, -3600]]) {
          clock(issued);
          yield refused("expired", there(await make(name, token, secret, age)), "session_expired");
        }
        clock(NOW + 16);
        yield refused("issued in the future", there(await make(name, token, secret, 3600)), "session_not_yet_valid");
        clock(NOW);
        yield refused("not yet valid", there(await make(name, { ...token, nbf: NOW + 60 }, secret, 60)), "session_not_yet_valid");
        yield refused("without a subject", there(await make(name, { email: "a@example.com" }, secret, 60)), "session_subject");
        // Version 4 encrypts what it remembers during a sign-in with the very same key.
        yield refused("a sign-in's memory", there(await make(name, { code_verifier: "abc" }, secret, 900)), "session_subject");
        yield refused("two organisations", there(await make(name, { ...token, org: ["a", "b"] }, secret, 60)), "session_organisation");
        const good = await make(name, token, secret, 3600);
        for (const other of others) yield refused(`in ${other}`, { cookies: `${other}=${good}` });
        yield* bent(refused, there, good, random);
        yield* pieces(refused, name, await make(name, { ...token, picture: "x".repeat(7000) }, secret, 3600));
      }
      for (const secret of [RETIRED, "", `${SECRETS[0]} `, SECRETS[0].slice(1)]) {
        yield refused("another secret", there(await make(name, token, secret || "?", 3600)));
      }
      const huge = await make(name, { ...token, picture: "x".repeat(16_000) }, SECRETS[0], 3600);
      yield refused("too large", there(huge), "session_too_large");
      yield refused("too large, as a bearer token", { bearer: huge }, "session_too_large");
    }
  }
  const swapped = await five({ sub: "user-1" }, SECRETS[0], FIVE[0], 3600);
  yield { case: "Auth.js 5: the secure cookie's token in the plain one", cookies: `${FIVE[1]}=${swapped}`, reason: "session_key_unknown" };
  const shadow = await five({ sub: "user-1" }, SECRETS[0], FIVE[1], 3600);
  yield { case: "Auth.js 5: a good plain cookie behind a bad secure one", cookies: `${FIVE[1]}=${shadow}; ${FIVE[0]}=x`, reason: "session_malformed" };
  for (const name of ["authjs.state", "authjs.pkce.code_verifier"]) {
    const memory = await five({ sub: "user-1" }, SECRETS[0], name, 900);
    yield { case: `Auth.js 5: ${name}`, cookies: `${FIVE[1]}=${memory}`, reason: "session_key_unknown" };
  }
  yield* headers();
  yield* padding();
}

function* bent(refused, there, good, random) {
  const parts = good.split(".");
  for (let at = 0; at < 12; at++) {
    yield refused("truncated", there(good.slice(0, 1 + random(good.length - 1))));
    const place = random(good.length);
    const letter = good[place] === "A" ? "B" : "A";
    yield refused(`changed at ${place}`, there(good.slice(0, place) + letter + good.slice(place + 1)));
    const piece = [0, 2, 3, 4][at % 4];
    const bytes = Buffer.from(parts[piece], "base64url");
    bytes[random(bytes.length)] ^= 1 << random(8);
    const changed = parts.map((part, index) => (index === piece ? bytes.toString("base64url") : part));
    yield refused(`a bit of part ${piece}`, { bearer: changed.join(".") });
  }
  // A short tag is easier to guess.
  for (const length of [0, 1, 4, 8, 12, 15, 31]) {
    const tag = Buffer.from(parts[4], "base64url").subarray(0, length).toString("base64url");
    if (tag !== parts[4]) yield refused(`a tag of ${length} bytes`, { bearer: [...parts.slice(0, 4), tag].join(".") }, "session_forged");
  }
  yield refused("an encrypted key", { bearer: [parts[0], "AAAA", ...parts.slice(2)].join(".") }, "session_malformed");
}

function* pieces(refused, name, text) {
  const found = cookies(name, text).split("; ");
  const cut = (list) => ({ cookies: list.join("; ") });
  yield refused("a piece missing", cut(found.filter((_, at) => at !== 1)));
  yield refused("the first piece missing", cut(found.slice(1)), "session_absent");
  const values = found.map((piece) => piece.slice(piece.indexOf("=") + 1)).reverse();
  yield refused("pieces in the wrong order", cut(values.map((value, at) => `${name}.${at}=${value}`)));
  yield refused("a piece twice", cut([found[0], `${name}.1=${values.at(-1)}`, ...found.slice(1)]));
}

/** Headers that the library would refuse to write. */
async function* headers() {
  const token = { sub: "user-1", exp: NOW + 3600 };
  const key = await keyOf(SECRETS[0], FIVE[1], 64);
  const short = await keyOf(SECRETS[0], FIVE[1], 32);
  const kid = await kidOf(key);
  const refused = (what, text, reason) => ({ case: `Auth.js 5: ${what}`, cookies: `${FIVE[1]}=${text}`, reason });
  const base = { alg: "dir", enc: "A256CBC-HS512", kid };
  for (const [what, header, reason] of [
    ["compressed", { ...base, zip: "DEF" }, "session_algorithm"],
    ["critical", { ...base, crit: ["exp"] }, "session_critical_extension"],
    ["another kid", { ...base, kid: "nobody" }, "session_key_unknown"],
    ["the kid of the other encryption", { ...base, kid: await kidOf(short) }, "session_key_unknown"],
    ["alg none", { ...base, alg: "none" }, "session_algorithm"],
    ["alg A256KW", { ...base, alg: "A256KW" }, "session_algorithm"],
    ["enc A256GCM", { ...base, enc: "A256GCM" }, "session_key_unknown"],
    ["enc A256GCM without kid", { ...base, enc: "A256GCM", kid: undefined }, "session_forged"],
    ["enc none", { ...base, enc: "none" }, "session_algorithm"],
    ["two algorithms", { ...base, alg: ["dir"] }, "session_malformed"],
  ]) {
    yield refused(what, sealed(key, header, Buffer.from(JSON.stringify(token))), reason);
  }
  for (const [enc, size] of [["A128GCM", 16], ["A192GCM", 24], ["A128CBC-HS256", 32], ["A192CBC-HS384", 48]]) {
    const weaker = await keyOf(SECRETS[0], FIVE[1], size);
    yield refused(enc, await encrypted(token, weaker, { alg: "dir", enc }), "session_algorithm");
  }
  for (const text of ["[]", "null", "{", "", '"a"', "{\"exp\":\"soon\",\"sub\":\"a\"}", '{"sub":"user-1"}']) {
    yield refused(`claims ${text}`, sealed(key, base, Buffer.from(text)));
  }
  for (const text of ["....", "a.b.c.d.e", "..", ".", "x", "%", `${part(base)}....`, ".".repeat(9000)]) {
    yield refused(`nothing: ${text.slice(0, 9)}`, text);
  }
}

/** A right tag over wrong padding: one and the same refusal as a wrong tag. */
async function* padding() {
  const key = await keyOf(SECRETS[0], FIVE[1], 64);
  const header = { alg: "dir", enc: "A256CBC-HS512", kid: await kidOf(key) };
  for (let last = 0; last < 256; last += 5) {
    const block = Buffer.alloc(16, 0x7b);
    block[15] = last;
    if (last === 1 || last === 0x7b) continue;
    yield { case: `Auth.js 5: padding ${last}`, cookies: `${FIVE[1]}=${sealed(key, header, block, false)}`, reason: "session_forged" };
  }
}

/** RFC 7518 §5.2.2.1 by hand, so that header and padding can be anything. */
function sealed(key, header, plain, pad = true) {
  const aad = Buffer.from(part(header));
  const iv = Buffer.alloc(16, 7);
  const cipher = createCipheriv("aes-256-cbc", key.subarray(32), iv).setAutoPadding(pad);
  const text = Buffer.concat([cipher.update(plain), cipher.final()]);
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64BE(BigInt(aad.length * 8));
  const tag = createHmac("sha512", key.subarray(0, 32)).update(Buffer.concat([aad, iv, text, bits])).digest().subarray(0, 32);
  return [aad.toString(), "", iv.toString("base64url"), text.toString("base64url"), tag.toString("base64url")].join(".");
}
