import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytes, same } from "../harness/bytes.js";
import { Program } from "../harness/program.js";

const run = promisify(execFile);
const PACKAGE = resolve(import.meta.dirname, "../..");
const BUILD = join(PACKAGE, ".build");
const ADDRESS = "http://127.0.0.1:8787";

/** The blocks of TypeScript in the README. A fragment is compiled, and not run. */
async function snippets(): Promise<{ text: string; isFragment: boolean }[]> {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  return [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = ""]) => ({
    text,
    isFragment: text.startsWith("// fragment\n"),
  }));
}

/** Runs a compiled file, as a person does, and returns what it prints. */
async function output(file: string, ...extra: string[]): Promise<string> {
  return (await run(process.execPath, [file, ...extra], { cwd: BUILD })).stdout;
}

let program: Program;

beforeAll(async () => {
  const tsc = join(PACKAGE, "node_modules/typescript/bin/tsc");
  for (const directory of ["docs", "out"]) {
    await rm(join(BUILD, directory), { recursive: true, force: true });
  }
  await mkdir(join(BUILD, "docs"), { recursive: true });
  await cp(join(import.meta.dirname, "notes.ts"), join(BUILD, "docs/notes.ts"));
  program = await Program.start();
  for (const [index, { text }] of (await snippets()).entries()) {
    await writeFile(join(BUILD, `docs/snippet_${index}.ts`), text.replaceAll(ADDRESS, program.url));
  }
  // The package first: documents and examples import it by its name, as an application does.
  await run(process.execPath, [tsc, "-p", PACKAGE]);
  await run(process.execPath, [tsc, "-p", join(PACKAGE, "tsconfig.docs.json")]).catch(({ stdout }) => {
    throw new Error(`the documents do not compile:\n${stdout}`);
  });
});

afterAll(() => program[Symbol.asyncDispose]());

describe("README.md", () => {
  test("has the snippets that the tests below run", async () => {
    expect((await snippets()).map(({ isFragment }) => isFragment)).toEqual([false, false, false, true]);
  });

  test("compiles in an application with the usual settings, and without types of Node", async () => {
    const tsc = join(PACKAGE, "node_modules/typescript/bin/tsc");
    const settings = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--typeRoots", "none"];
    const compiled = run(process.execPath, [tsc, ...settings, join(BUILD, "docs/snippet_0.ts")]);
    await expect(compiled.catch(({ stdout }) => ({ stdout }))).resolves.toMatchObject({ stdout: "" });
  });

  test("calls a method", async () => {
    const lines = (await output(join(BUILD, "out/.build/docs/snippet_0.js"))).trim().split("\n");
    expect(lines[0]).toBe("1 我的收藏");
    expect(lines.at(-1)).toBe("there is such a folder already");
  });

  test("sends and gets a file", async () => {
    const lines = (await output(join(BUILD, "out/.build/docs/snippet_1.js"))).trim().split("\n");
    expect(lines).toEqual(["6 of 6 bytes", "Hello!"]);
  });

  test("follows transfers", async () => {
    const lines = (await output(join(BUILD, "out/.build/docs/snippet_2.js"))).trim().split("\n");
    expect(lines).toContain("the feed is open");
    expect(lines.some((line) => line.startsWith("all tasks: "))).toBe(true);
    expect(lines.at(-1)).toBe("the feed is closed");
    const [row] = await rows();
    expect(row).toMatchObject({ taskId: "my-download", status: 4, progress: 100 });
  });
});

async function rows(): Promise<{ taskId: string; status: number; progress: number }[]> {
  const response = await fetch(`${program.url}/transferApi/listTasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type: 1, page: 1, pageSize: 10 }),
  });
  return ((await response.json()) as { data: { taskId: string; status: number; progress: number }[] }).data;
}

test("the example makes a folder, uploads a file, and downloads it with progress", async () => {
  const directory = await mkdtemp(join(tmpdir(), "stowage-example-"));
  try {
    const content = bytes(1_000_000, 41);
    const file = join(directory, "照片.jpg");
    await writeFile(file, content);
    const printed = await output(join(BUILD, "out/examples/folder-upload-download.js"), program.url, file);
    expect(printed).toContain("sent 1000000 of 1000000 bytes\n");
    expect(printed).toContain("upload 100 %\n");
    expect(printed).toContain("received 1000000 of 1000000 bytes\n");
    expect(same(await readFile(`${file}.copy`), content)).toBe(true);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("the package holds what users need, and nothing else", async () => {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json"], { cwd: PACKAGE });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  expect(paths).toContain("dist/index.js");
  expect(paths).toContain("dist/index.d.ts");
  const expected = /^(dist\/.+\.(js|js\.map|d\.ts|d\.ts\.map)|src\/.+\.ts|package\.json|README\.md|LICENSE)$/;
  expect(paths.filter((path) => !expected.test(path))).toEqual([]);
});
