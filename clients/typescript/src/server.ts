/** How a client reaches its server. */
export interface Options {
  /** The address of the server, for example `http://127.0.0.1:8787`. */
  url: string;
  /**
   * The token of the server, if it was started with `--token`. A function is asked before each
   * request, so the token may change.
   */
  token?: string | (() => string | undefined) | undefined;
  /** Sends requests. The default is the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Opens the progress feed. The default is the global `WebSocket`. Node before 22 has none. */
  WebSocket?: WebSocketConstructor | undefined;
}

/** A class with the interface of the browsers' `WebSocket`: that of `ws` and of `undici` fit too. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** What the feed uses of a websocket. */
export interface WebSocketLike {
  // biome-ignore lint/suspicious/noExplicitAny: each implementation has its own class of events.
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: any) => void): void;
  close(code?: number, reason?: string): void;
}

/** The address of a server, and what each request to it carries. */
export class Server {
  readonly #base: string;
  readonly #options: Options;

  /** @throws TypeError if the address is no `http:` or `https:` URL. */
  constructor(options: Options) {
    this.#options = options;
    const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
    if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
      throw new TypeError(`url: expected an address like http://127.0.0.1:8787, got ${JSON.stringify(options.url)}`);
    }
    this.#base = url.origin + url.pathname.replace(/\/+$/, "");
  }

  /** The URL of a path, which begins with a slash. */
  url(path: string): string {
    return this.#base + path;
  }

  get base(): string {
    return this.#base;
  }

  get token(): string | undefined {
    const { token } = this.#options;
    return (typeof token === "function" ? token() : token) || undefined;
  }

  /** The headers of each request. */
  headers(): Record<string, string> {
    const token = this.token;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** Whether requests are sent by a function of the client's owner. */
  get hasOwnFetch(): boolean {
    return this.#options.fetch !== undefined;
  }

  /** Sends a request. */
  fetch(input: string | Request, init?: RequestInit): Promise<Response> {
    // Looked up for each request: pages and tests replace the global one.
    const send = this.#options.fetch ?? globalThis.fetch;
    return send(input, init);
  }

  /**
   * The class of websockets.
   *
   * @throws TypeError if there is none.
   */
  requireWebSocket(): WebSocketConstructor {
    const Socket = this.#options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
    if (Socket === undefined) {
      throw new TypeError(
        "WebSocket: this platform has none (Node has it from version 22 on). " +
          'Install the package "ws" and give its class: new Stowage({ url, WebSocket })',
      );
    }
    return Socket;
  }

  /**
   * Opens a websocket.
   *
   * @throws TypeError if there is no class for it. DOMException if the token cannot be a subprotocol.
   */
  socket(path: string): WebSocketLike {
    const Socket = this.requireWebSocket();
    const token = this.token;
    const address = this.url(path).replace(/^http/, "ws");
    // Browsers cannot send headers with a websocket. So the token is a subprotocol.
    return new Socket(address, token === undefined ? [] : [`stowage.bearer.${token}`]);
  }
}
