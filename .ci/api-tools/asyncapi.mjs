// asyncapi.mjs FILE: checks an AsyncAPI document with AsyncAPI's own parser. Errors and warnings fail.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The parser is installed in the working directory.
const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const { Parser } = require("@asyncapi/parser");

const text = await readFile(process.argv[2], "utf8");
const { document, diagnostics } = await new Parser().parse(text);
// 0 is an error, 1 a warning. The rest is advice.
const serious = diagnostics.filter((found) => found.severity <= 1);
for (const { code, message, path } of serious) {
  console.error(`${path.join("/")}: ${message} (${code})`);
}
if (document === undefined || serious.length > 0) {
  process.exit(1);
}
