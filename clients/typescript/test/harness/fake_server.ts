import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { TaskRow } from "../../src/index.js";
import { until } from "./wait.js";

/** A subscription that arrived. */
export interface Subscribed {
  key: string;
  type: number;
  platform: number;
  status: number | null;
}

/** A websocket of a client. */
export class FakeConnection {
  readonly url: URL;
  readonly protocol: string;
  #isOpen = true;
  readonly #socket: WebSocket;
  readonly #seq = new Map<string, number>();

  constructor(socket: WebSocket, request: IncomingMessage) {
    this.#socket = socket;
    this.url = new URL(request.url ?? "/", "http://fake");
    this.protocol = socket.protocol;
    socket.on("close", () => {
      this.#isOpen = false;
    });
  }

  get keys(): string[] {
    return this.url.searchParams.getAll("key");
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends the next frame of a key. */
  frame(key: string, rows: TaskRow[]): void {
    const seq = (this.#seq.get(key) ?? 0) + 1;
    this.#seq.set(key, seq);
    this.text(JSON.stringify({ key, code: 200, message: null, data: rows, seq }));
  }

  /** Loses frames: their numbers never come. */
  lose(key: string, frames: number): void {
    this.#seq.set(key, (this.#seq.get(key) ?? 0) + frames);
  }

  text(text: string | Buffer): void {
    this.#socket.send(text);
  }

  close(): void {
    this.#socket.close(1001, "the server stops");
  }

  /** Ends without a word, as a lost network does. */
  drop(): void {
    this.#socket.terminate();
  }
}

/** A server that answers subscriptions as a test wants, and whose websockets a test writes. */
export class FakeServer implements AsyncDisposable {
  /** What happened, in order: `subscribe KEY`, `connect KEY,KEY`. */
  readonly log: string[] = [];
  readonly subscribed: Subscribed[] = [];
  readonly connections: FakeConnection[] = [];
  /** The Authorization headers of subscriptions. */
  readonly authorizations: (string | undefined)[] = [];
  /** The answers to subscriptions. The last one stays. */
  answers: { status: number; code: number; message: string | null }[] = [{ status: 200, code: 200, message: null }];
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => [...offered].find((name) => name.startsWith("stowage.bearer.")) ?? false,
  });
  #read = 0;

  private constructor() {
    this.#http = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      request.on("end", () => {
        const body = JSON.parse(text) as Subscribed;
        this.log.push(`subscribe ${body.key}`);
        this.subscribed.push(body);
        this.authorizations.push(request.headers.authorization);
        const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
        const { status = 500, code = 500, message = null } = answer ?? {};
        response.writeHead(status, { "content-type": "application/json" });
        response.end(JSON.stringify({ code, message, data: null }));
      });
    });
    this.#http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#sockets.handleUpgrade(request, socket, head, (websocket) => {
        const connection = new FakeConnection(websocket, request);
        this.log.push(`connect ${connection.keys.join(",")}`);
        this.connections.push(connection);
      });
    });
  }

  static async start(): Promise<FakeServer> {
    const server = new FakeServer();
    await new Promise<void>((resolve) => server.#http.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** The next connection that no test has seen. */
  connection(): Promise<FakeConnection> {
    return until("a connection", () => this.connections[this.#read]).then((connection) => {
      this.#read += 1;
      return connection;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) {
      socket.terminate();
    }
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

/** A row of a task. */
export function row(taskId: string, progress = 0, status = 2): TaskRow {
  return {
    id: 1,
    name: `${taskId}.bin`,
    thumb: "",
    hash: "HMA6Brkf",
    isCrypt: 0,
    size: 100,
    time: 1_744_200_000_000,
    path: "",
    folderPath: "",
    sourcePath: "",
    ext: ".bin",
    type: 0,
    progress,
    view: 0,
    status,
    taskId,
    code: 0,
    shareIndex: 3,
    speed: 0,
    remaining: 0,
    priority: 5,
  };
}
