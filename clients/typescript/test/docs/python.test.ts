import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { Program } from "../harness/program.js";
import { neededAt, ROOT } from "../harness/tools.js";

const run = promisify(execFile);
const TOOLS = join(process.env["CARGO_TARGET_DIR"] ?? join(ROOT, "target"), "tools/python-client/bin");
const GENERATOR = neededAt(join(TOOLS, "openapi-python-client"), "the Python client", "make client-tools");
const ADDRESS = "http://127.0.0.1:8787";

/** The block of a language under "Python" in docs/clients.md. */
async function block(language: string): Promise<string> {
  const text = await readFile(join(ROOT, "docs/clients.md"), "utf8");
  const section = text.slice(text.indexOf("\n## Python\n"));
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "ms").exec(section)?.[1] ?? "";
}

test.skipIf(GENERATOR === undefined)(
  "the command of docs/clients.md writes a Python client, which its script uses",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "stowage-python-"));
    const program = await Program.start();
    try {
      const [command, ...extra] = (await block("sh")).trim().replaceAll(ADDRESS, program.url).split(" ");
      expect(command).toBe("openapi-python-client");
      const env = { ...process.env, PATH: `${TOOLS}:${process.env["PATH"]}` };
      const { stdout } = await run(GENERATOR ?? "", extra, { cwd: directory, env });
      expect(stdout).not.toContain("Endpoint will not be generated");

      await writeFile(join(directory, "script.py"), (await block("python")).replaceAll(ADDRESS, program.url));
      const python = run(join(TOOLS, "python"), ["script.py"], {
        cwd: directory,
        env: { ...env, PYTHONPATH: join(directory, "stowage-client"), PYTHONIOENCODING: "utf-8" },
      });
      const lines = (await python).stdout.trim().split("\n");
      expect(lines[0]).toBe("1 我的收藏");
      expect(lines.at(-2)).toMatch(/^60002 ./);
      expect(lines.at(-1)).toMatch(/^[1-9A-Za-z]{40,}$/);
    } finally {
      await program[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    }
  },
);
