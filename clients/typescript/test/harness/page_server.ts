import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "vite";

/** A server on loopback with one page and its scripts. */
export class PageServer implements AsyncDisposable {
  readonly #http: Server;

  private constructor(http: Server) {
    this.#http = http;
  }

  /** Bundles a script as an application does, and serves a page with it. */
  static async start(script: string): Promise<PageServer> {
    const built = await build({
      configFile: false,
      logLevel: "warn",
      build: { write: false, target: "es2022", rolldownOptions: { input: script } },
    });
    const outputs = (Array.isArray(built) ? built : [built]).flatMap((one) => ("output" in one ? one.output : []));
    const files = new Map(outputs.map((file) => [`/${file.fileName}`, "code" in file ? file.code : file.source]));
    const entry = outputs.find((file) => file.type === "chunk" && file.isEntry)?.fileName;
    files.set("/", `<!doctype html><meta charset="utf-8"><script type="module" src="/${entry}"></script>`);
    const http = createServer((request, response) => {
      const path = request.url ?? "/";
      const content = files.get(path);
      const type = path === "/" ? "text/html; charset=utf-8" : "text/javascript; charset=utf-8";
      response.writeHead(content === undefined ? 404 : 200, { "content-type": type });
      response.end(content);
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return new PageServer(http);
  }

  /** The origin of the page. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}
