// Prints what the pages of the built console weigh, and fails if it is more than the budget.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

/** Bytes of the whole console, compressed by brotli. */
const budget = 200_000;

const root = fileURLToPath(new URL("../../../target/console", import.meta.url));

function* files(directory) {
  for (const name of readdirSync(directory).sort()) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

const total = { plain: 0, gzip: 0, brotli: 0 };
const line = (name, plain, gzip, brotli) =>
  console.log(name.padEnd(44) + [plain, gzip, brotli].map((n) => String(n).padStart(9)).join(""));

line("file", "plain", "gzip", "brotli");
for (const path of files(root)) {
  const bytes = readFileSync(path);
  const [gzip, brotli] = [gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length];
  total.plain += bytes.length;
  total.gzip += gzip;
  total.brotli += brotli;
  line(path.slice(root.length + 1), bytes.length, gzip, brotli);
}
line("all", total.plain, total.gzip, total.brotli);
if (total.brotli > budget) {
  console.error(`The console has ${total.brotli} bytes, but at most ${budget} are allowed.`);
  process.exit(1);
}
