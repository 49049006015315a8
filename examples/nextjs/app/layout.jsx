// The page around everything.
import "./globals.css";

export const metadata = { title: "Docent with Next.js", description: "Ask your documents. Every answer quotes its page." };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
