import createClient, { type Client } from "openapi-fetch";
import { dataOf } from "./envelope.js";
import { Feed, type FeedOptions } from "./feed/feed.js";
import type { Subscription } from "./feed/subscription.js";
import { Files } from "./files/files.js";
import type { CallArguments, Data, Method } from "./methods.js";
import type { paths } from "./schema.js";
import { type Options, Server } from "./server.js";

/**
 * A client of one server. `P` are the paths of its description: those of the built-in modules, or
 * what `stowage api typescript` writes for the modules that you use.
 */
export class Stowage<P extends {} = paths> {
  /** The client by path and HTTP method. Its answers are envelopes, `{code, message, data}`. */
  readonly raw: Client<P>;
  /** Sends and gets the bytes of files. */
  readonly files: Files;
  readonly #server: Server;

  /** @throws TypeError if `url` is no address. */
  constructor(options: Options) {
    const server = new Server(options);
    this.#server = server;
    this.files = new Files(server);
    this.raw = createClient<P>({ baseUrl: server.base, fetch: (request) => server.fetch(request) });
    this.raw.use({
      onRequest({ request }) {
        for (const [name, value] of Object.entries(server.headers())) {
          request.headers.set(name, value);
        }
      },
    });
  }

  /**
   * Calls a method and returns the data of its answer. The name of a method is its path without the
   * first slash: `getImFavoriteList`, `transferApi/listTasks`.
   *
   * @throws StowageError if the answer has another code than 200. What `fetch` throws, if there is
   * no answer.
   */
  async call<M extends Method<P>>(method: M, ...[params, init]: CallArguments<P, M>): Promise<Data<P, M>> {
    // The types of this function are exact. Those of the raw client cannot follow a path that is
    // put together from a type parameter.
    const raw = this.raw as unknown as Client<{ [path: string]: { post: AnyPost } }>;
    const signal = init?.signal ?? null;
    const answer = await raw.POST(`/${method}`, { body: params ?? {}, parseAs: "text", signal });
    const { status } = answer.response;
    // The raw client has read the text of a refusal as JSON, if it can.
    const text = answer.response.ok ? (answer.data ?? "") : asText(answer.error);
    return dataOf(method, status, text) as Data<P, M>;
  }

  /**
   * Follows transfers on the websocket, until it is closed. It connects at once, and again whenever
   * the connection is lost.
   */
  feed(subscriptions: Subscription | Subscription[], options: FeedOptions = {}): Feed {
    return new Feed(this.#server, subscriptions, options);
  }
}

interface AnyPost {
  requestBody: { content: { "application/json": unknown } };
  responses: { 200: { content: { "application/json": unknown } } };
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
