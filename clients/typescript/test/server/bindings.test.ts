import { execFile } from "node:child_process";
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { Stowage } from "../../src/index.js";
import { Program } from "../harness/program.js";
import { PROGRAM, ROOT } from "../harness/tools.js";

const run = promisify(execFile);
const PACKAGE = resolve(import.meta.dirname, "../..");
const BUILD = join(PACKAGE, ".build/bindings");
/** A module of the tests, with a package of its own. */
const MODULE = join(ROOT, "target/modules-test/probe.wasm");

/** The types that `stowage api typescript` writes. */
async function bindings(...extra: string[]): Promise<string> {
  const { stdout } = await run(PROGRAM, ["api", "typescript", ...extra], { maxBuffer: 64 << 20 });
  return stdout;
}

beforeAll(async () => {
  await rm(BUILD, { recursive: true, force: true });
  await mkdir(BUILD, { recursive: true });
});

test("src/schema.ts is what the program describes now", async () => {
  const check = run(process.execPath, ["scripts/generate.mjs", "--check"], {
    cwd: PACKAGE,
    env: { ...process.env, STOWAGE_BIN: PROGRAM },
  });
  await expect(check).resolves.toMatchObject({ stderr: "" });
});

test("the program writes types of modules that the client takes", async () => {
  await writeFile(join(BUILD, "all.ts"), await bindings());
  await writeFile(join(BUILD, "probe.ts"), await bindings("--only", "--module", MODULE));
  await writeFile(
    join(BUILD, "use.ts"),
    `
    import { Stowage, type Data } from "../../src/index.js";
    import type { paths as built } from "../../src/schema.js";
    import type { paths as all } from "./all.js";
    import type { paths } from "./probe.js";
    // The same as the types of openapi-typescript, in both directions.
    type Rows = Data<all, "transferApi/listTasks">;
    export const there: Rows = [] as Data<built, "transferApi/listTasks">;
    export const back: Data<built, "transferApi/listTasks"> = [] as Rows;
    export const probe = new Stowage<paths>({ url: "http://127.0.0.1:8787" });
    export const count: Promise<number> = probe.call("tests/countCalls");
    // @ts-expect-error the key is required
    probe.call("tests/increment", {});
    // @ts-expect-error the built-in modules are not in these paths
    probe.call("getStorageSpaceInfo");
    `,
  );
  const config = {
    extends: "../../tsconfig.json",
    compilerOptions: { rootDir: "../..", noEmit: true },
    include: ["*.ts"],
  };
  await writeFile(join(BUILD, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(PACKAGE, "node_modules/typescript/bin/tsc");
  const messages = await run(process.execPath, [tsc, "-p", BUILD]).then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  );
  expect(messages).toBe("");
});

test("a method of a loaded module is called by its name", async () => {
  const modules = join(BUILD, "modules");
  await mkdir(modules);
  await cp(MODULE, join(modules, "probe.wasm"));
  const program = await Program.start("--modules", modules);
  try {
    interface Probe {
      "/tests/increment": {
        post: {
          requestBody: { content: { "application/json": { key: string } } };
          responses: { 200: { content: { "application/json": { code: 200; message: null; data: number } } } };
        };
      };
    }
    const probe = new Stowage<Probe>({ url: program.url });
    expect(await probe.call("tests/increment", { key: "k" })).toBe(1);
    expect(await probe.call("tests/increment", { key: "k" })).toBe(2);
  } finally {
    await program[Symbol.asyncDispose]();
  }
});
