// Everything under /api that is not a route of this app goes to Docent. `fallback`: Auth.js keeps its own /api/auth/*.
const docent = process.env.DOCENT_URL ?? "http://localhost:3000";

/** @type {import("next").NextConfig} */
export default {
  poweredByHeader: false,
  // Compressing would hold back an answer's words until there are enough of them.
  compress: false,
  // An answer may take longer than the 30 seconds that Next gives a rewrite.
  experimental: { proxyTimeout: 300_000 },
  rewrites: async () => ({ fallback: [{ source: "/api/:path*", destination: `${docent}/api/:path*` }] }),
};
