import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PROGRAM } from "./tools.js";

/** The real server, on a port of its own, with a data directory of its own and the demo space. */
export class Program implements AsyncDisposable {
  readonly #data: string;
  readonly #arguments: string[];
  #process: ChildProcess;
  #url: string;

  private constructor(data: string, extra: string[], process: ChildProcess, url: string) {
    this.#data = data;
    this.#arguments = extra;
    this.#process = process;
    this.#url = url;
  }

  /** Starts a server. It listens when the promise is fulfilled. */
  static async start(...extra: string[]): Promise<Program> {
    const data = await mkdtemp(join(tmpdir(), "stowage-client-"));
    const { process, url } = await launch(data, "127.0.0.1:0", extra);
    return new Program(data, extra, process, url);
  }

  get url(): string {
    return this.#url;
  }

  /** Ends the server at once, as a crash does. */
  async kill(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await exited;
    }
  }

  /** Starts it again on the same port and with the same data. */
  async restart(): Promise<void> {
    await this.kill();
    ({ process: this.#process, url: this.#url } = await launch(this.#data, new URL(this.#url).host, this.#arguments));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#data, { recursive: true, force: true });
  }
}

async function launch(data: string, listen: string, extra: string[]): Promise<{ process: ChildProcess; url: string }> {
  const child = spawn(PROGRAM, ["serve", "--listen", listen, "--data", data, "--demo", ...extra], {
    stdio: ["ignore", "pipe", "pipe"],
    // The settings of the person who runs the tests do not count.
    env: { PATH: process.env["PATH"], HOME: data, STOWAGE_LOG: "warn" },
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const address = /listening on (\S+)/.exec(line)?.[1];
    if (address !== undefined) {
      child.stdout.resume();
      return { process: child, url: address.startsWith("http") ? address : `http://${address}` };
    }
  }
  throw new Error(`the server did not start: ${log}`);
}
