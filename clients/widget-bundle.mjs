// Builds public/widget.js from widget/: one file, because a site embeds one script. `npm run widget` writes it; a test holds that it is what the sources give.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

export const BUNDLE = new URL("../public/widget.js", import.meta.url);
const ENTRY = fileURLToPath(new URL("../widget/main.mjs", import.meta.url));
const HEAD = "// Docent's widget, built from widget/ by `npm --prefix clients run widget`. Apache-2.0.";

/** A style sheet becomes a string, without its spaces. */
const styles = {
  name: "styles",
  setup: ({ onLoad }) => onLoad({ filter: /\.css$/ }, async ({ path }) => {
    const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true, target: "esnext" });
    return { contents: code.trim(), loader: "text" };
  }),
};

export async function bundle() {
  const options = { entryPoints: [ENTRY], bundle: true, minify: true, write: false, format: "iife", target: "es2022", charset: "utf8", legalComments: "none", banner: { js: HEAD }, plugins: [styles] };
  const { outputFiles } = await build(options);
  return outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(BUNDLE, await bundle());
