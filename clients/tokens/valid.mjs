// Sessions that must be accepted, each with the person that it is for.
import { FIVE, FOUR, cookies, encrypted, five, four, keyOf, kidOf } from "./authjs.mjs";
import { NOW, OWN_COOKIE, SECRETS, sign } from "./issuers.mjs";

const ROLES = [["admin", "owner"], ["owner", "owner"], ["editor", "editor"], ["viewer", "viewer"], ["billing", "viewer"], [undefined, "viewer"]];

/** Everybody that a front end or an issuer may speak of: alone, and in an organisation with every role. */
function* people(count) {
  for (let at = 0; at < count; at++) {
    const [named, role] = ROLES[at % ROLES.length];
    const org = at % 3 === 0 ? undefined : `org_${at % 5}`;
    const person = { subject: `user-${at}`, organisation: org ?? null, role: org ? role : "owner" };
    yield { at, org, named: org && named, person };
  }
}

/** Sizes of sessions: one cookie, nearly one, two, three, four. */
const SIZES = [0, 2500, 3500, 6500, 8500];

async function* authJs(clock) {
  const ways = [
    ...FOUR.map((name) => ({ name, way: "4", make: four })),
    ...FIVE.map((name) => ({ name, way: "5", make: (token, secret, age) => five(token, secret, name, age) })),
    ...[true, false].map((named) => ({ name: FIVE[0], way: `5, A256GCM, ${named ? "" : "no "}kid`, make: gcm(FIVE[0], named) })),
    { name: OWN_COOKIE, way: "5, own cookie", make: (token, secret, age) => five(token, secret, OWN_COOKIE, age) },
    { name: OWN_COOKIE, way: "4, own cookie", make: four },
  ];
  for (const { name, way, make } of ways) {
    for (const { at, org, named, person } of people(60)) {
      const secret = SECRETS[at % SECRETS.length];
      const padding = SIZES[at % SIZES.length];
      const token = { sub: person.subject, name: "Ada", org, role: named, picture: padding ? "x".repeat(padding) : undefined };
      // Now and then at the very ends of what 15 seconds of disagreement allow.
      const [issued, age] = at % 7 === 0 ? [NOW + 15, 60] : at % 7 === 1 ? [NOW - 60, 46] : [NOW - 60, 3600];
      clock(issued);
      const text = await make(token, secret, age);
      const described = { case: `Auth.js ${way}, ${text.length} bytes`, person: { issuer: "authjs", ...person } };
      const noise = `other=1; __Host-authjs.csrf-token=abc%7Cdef; ${cookies(name, text)}; theme=dark`;
      yield at % 4 === 3 ? { ...described, bearer: text } : { ...described, cookies: noise };
    }
  }
}

const gcm = (salt, named) => async (token, secret, age) => {
  const key = await keyOf(named ? secret : SECRETS[1], salt, 32);
  const header = { alg: "dir", enc: "A256GCM", ...(named && { kid: await kidOf(key) }) };
  return encrypted({ ...token, exp: Math.floor(Date.now() / 1000) + age }, key, header);
};

async function* signed(all) {
  for (const issuer of Object.values(all)) {
    for (const { at, org, named, person } of people(90)) {
      const key = issuer.keys[at % issuer.keys.length];
      let claims = { ...issuer.claims(person.subject, { org, role: named, v1: at % 2 === 1 }), name: "Ada" };
      const header = { ...issuer.header };
      const skew = issuer.name === "clerk" ? 5 : 15;
      if (at % 9 === 4) claims.exp = NOW - skew + 1;
      if (at % 9 === 5) claims.nbf = claims.iat = NOW + skew;
      if (at % 9 === 6) claims.exp += 0.5;
      if (at % 9 === 7 && issuer.keys.filter(({ alg }) => alg === key.alg).length === 1) header.kid = undefined;
      if (issuer.name === "clerk" && at % 4 === 2) claims.azp = "https://admin.example.com";
      if (issuer.name === "cognito" && at % 4 === 2) claims = { ...claims, aud: "cognito-app", azp: "cognito-app" };
      const text = await sign(key, JSON.parse(JSON.stringify(claims)), header);
      const described = { case: `${issuer.name}, ${key.alg}`, person: { issuer: issuer.iss, ...person, subject: claims.sub } };
      const inCookie = issuer.name === "clerk" && at % 2 === 0;
      yield inCookie ? { ...described, cookies: `__client_uat=1; __session=${text}` } : { ...described, bearer: text };
    }
  }
}

export async function* valid(all, clock) {
  yield* authJs(clock);
  clock(NOW);
  yield* signed(all);
}
