/** The real server, with a data directory of its own and the demo space. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { program } from "./tools";

/** What tests in other processes need to reach a server. */
export interface Address {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** Its data directory. */
  data: string;
}

export class Server {
  private constructor(
    readonly url: string,
    readonly data: string,
    /** The link into the console that it printed. */
    readonly link: string,
    private child: ChildProcess,
  ) {}

  /** Starts a server. It listens when the promise is fulfilled. */
  static async start(): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), "stowage-console-"));
    const { child, url, link } = await launch(data, "127.0.0.1:0");
    return new Server(url, data, link, child);
  }

  get address(): Address {
    return { url: this.url, data: this.data };
  }

  /** Stops it as Ctrl+C does. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGINT");
    await exited;
  }

  /** Starts it again on the same port and with the same data. */
  async startAgain(): Promise<void> {
    ({ child: this.child } = await launch(this.data, new URL(this.url).host));
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }
}

async function launch(data: string, listen: string) {
  const child = spawn(program, ["serve", "--listen", listen, "--data", data, "--demo"], {
    stdio: ["ignore", "pipe", "pipe"],
    // The settings of the person who runs the tests do not count.
    env: { PATH: process.env["PATH"], HOME: data, STOWAGE_LOG: "warn", NO_COLOR: "1" },
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    url ??= /^listening on (\S+)/.exec(line)?.[1];
    const link = /^console: (\S+)/.exec(line)?.[1];
    if (!url || !link) continue;
    child.stdout.resume();
    return { child, url, link };
  }
  throw new Error(`the server did not start: ${log}`);
}

/** A new link into the console, as `stowage console` asks for it. */
export async function newLink({ url, data }: Address): Promise<string> {
  const token = readFileSync(join(data, "admin.token"), "utf8").trim();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(`${url}/admin/console/link`, { method: "POST", headers, body: "{}" });
  if (!answer.ok) throw new Error(`no link: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { url: string }).url;
}

/** The data of an answer of the API, called as any client does. */
export async function call(url: string, method: string, body: object = {}): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}/${method}`, { method: "POST", headers, body: JSON.stringify(body) });
  const { code, message, data } = (await answer.json()) as { code: number; message: string; data: unknown };
  if (code !== 200) throw new Error(`${method} answered ${code}: ${message}`);
  return data;
}
