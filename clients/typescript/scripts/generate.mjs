// Writes src/schema.ts from the description that the program derives from its modules.
// --check: changes nothing, and fails if the file is not what it should be.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const HEADER = `/**
 * The paths and types of Stowage, made by openapi-typescript from \`stowage api openapi\`.
 * Do not edit it. \`npm run generate\` writes it.
 */

`;

const program = process.env.STOWAGE_BIN ?? fileURLToPath(new URL("../../../target/release/stowage", import.meta.url));
const file = fileURLToPath(new URL("../src/schema.ts", import.meta.url));

const description = JSON.parse(execFileSync(program, ["api", "openapi"], { encoding: "utf8", maxBuffer: 64 << 20 }));
const schema = HEADER + astToString(await openapiTS(description));

if (!process.argv.includes("--check")) {
  writeFileSync(file, schema);
} else if (readFileSync(file, "utf8") !== schema) {
  console.error("src/schema.ts is stale: run `npm run generate` in clients/typescript, and commit the file");
  process.exitCode = 1;
}
