import { dataOf } from "./envelope.js";
import type { Server } from "./server.js";

/**
 * Calls a method without its types: for the parts of this client that are the same for every
 * description.
 *
 * @throws StowageError if the answer is no success. What `fetch` throws, if there is no answer.
 */
export async function post(server: Server, method: string, body: object, signal: AbortSignal): Promise<unknown> {
  const response = await server.fetch(server.url(`/${method}`), {
    method: "POST",
    headers: { ...server.headers(), "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  return dataOf(method, response.status, await response.text());
}
