// Builds the bundle into a folder: node build.mjs FOLDER. The same sources and packages give the same bytes.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
process.chdir(here);
const target = process.argv[2] ?? join("..", "static");
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const made = await build({
  // Packages are entries, so that each is a file whose name, which has the hash of its content, the page's code does not change.
  entryPoints: ["src/main.tsx", "src/page.css", "src/packages/codemirror.ts", "src/packages/uplot.ts"],
  absWorkingDir: here,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  jsx: "automatic",
  jsxImportSource: "preact",
  outdir: target,
  metafile: true,
  logLevel: "warning",
});

const outputs = Object.entries(made.metafile.outputs);
const name = (entry) => outputs.find(([, output]) => output.entryPoint === entry)[0].split("/").pop();
const page = readFileSync("src/index.html", "utf8")
  .replace("page.css", `/static/${name("src/page.css")}`)
  .replace("main.js", `/static/${name("src/main.tsx")}`);
writeFileSync(join(target, "index.html"), page);
writeFileSync(join(target, "icon.svg"), readFileSync("src/icon.svg"));

// Packages whose code is in the bundle, with their versions and licences.
const folders = new Set(
  Object.keys(made.metafile.inputs)
    .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter(Boolean),
);
const packages = {};
let licences = "The page's scripts and styles have code of these packages.\n";
for (const each of [...folders].sort()) {
  const folder = join("node_modules", each);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  packages[each] = version;
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (!file) throw new Error(`${each} has no file with its licence`);
  licences += `\n${"-".repeat(80)}\n${each} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}
writeFileSync(join(target, "licences.txt"), licences);

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const files = {};
for (const each of readdirSync(target).sort()) {
  const bytes = readFileSync(join(target, each));
  files[each] = { sha256: sha256(bytes), bytes: bytes.length, gzipped: gzipSync(bytes, { level: 9 }).length };
}
// Over names and contents, so that a change of the sources without a build is noticed where npm is missing.
const sources = createHash("sha256");
const named = readdirSync("src", { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));
for (const each of ["build.mjs", "package-lock.json", "package.json", "tsconfig.json", ...named].sort()) {
  sources.update(`${each}\0${sha256(readFileSync(each))}\n`);
}
const manifest = { files, sources: sources.digest("hex"), packages };
writeFileSync(join(target, "manifest.json"), JSON.stringify(manifest, null, 1) + "\n");
