// Signed out: a form. Signed in: documents, the conversation and the keys.
import { redirect } from "next/navigation";
import { AuthError } from "next-auth";
import { auth, signIn, signOut } from "../auth";
import Desk from "../components/desk";

export default async function Page({ searchParams }) {
  const session = await auth();
  if (!session) return <SignIn failed={Boolean((await searchParams).failed)} />;
  return <Desk name={session.user.name} leave={<form action={leave}><button className="quiet">Sign out</button></form>} />;
}

async function enter(form) {
  "use server";
  try {
    await signIn("credentials", { email: form.get("email"), password: form.get("password"), redirectTo: "/" });
  } catch (error) {
    if (error instanceof AuthError) redirect("/?failed=1");
    throw error;
  }
}

async function leave() {
  "use server";
  await signOut({ redirectTo: "/" });
}

function SignIn({ failed }) {
  return (
    <main className="sign-in">
      <form className="card" action={enter}>
        <h1>Sign in</h1>
        <label htmlFor="email">E-mail</label>
        <input id="email" name="email" type="email" autoComplete="username" required />
        <label htmlFor="password">Password</label>
        <input id="password" name="password" type="password" autoComplete="current-password" required />
        {failed && <p className="problem" role="alert">That is not the password of this demonstration. It is DEMO_PASSWORD in .env.local.</p>}
        <button className="primary">Sign in</button>
      </form>
    </main>
  );
}
