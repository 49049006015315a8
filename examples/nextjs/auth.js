// Who signs in. Docent reads the session's cookie with the same AUTH_SECRET: no second log-in, no token in the browser.
import NextAuth from "next-auth";
import Credentials from "next-auth/providers/credentials";

export const { handlers, auth, signIn, signOut } = NextAuth({
  trustHost: true,
  session: { strategy: "jwt" },
  providers: [
    // For a demonstration: put your own provider here (GitHub, Google, e-mail …). Docent needs only a stable user id.
    Credentials({
      credentials: { email: { type: "email" }, password: { type: "password" } },
      authorize({ email, password }) {
        const address = String(email ?? "").trim().toLowerCase();
        const right = process.env.DEMO_PASSWORD && password === process.env.DEMO_PASSWORD;
        return right && /^\S+@\S+$/.test(address) ? { id: `demo:${address}`, name: address, email: address } : null;
      },
    }),
  ],
});
