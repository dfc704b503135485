/** Loads the description, and asks again whether it is still the same one. */
import { request } from "../../server";
import { type Description, readDescription } from "./description";

let kept: { tag: string; description: Description } | undefined;

/** The description of the modules that serve now. An unchanged one is the same object. */
export async function loadDescription(signal: AbortSignal): Promise<Description> {
  const headers: Record<string, string> = kept?.tag ? { "if-none-match": kept.tag } : {};
  const answer = await request("/openapi.json", { headers, cache: "no-store", signal });
  if (answer.status === 304 && kept) return kept.description;
  const content = await answer.text();
  if (!answer.ok) throw new Error(`GET /openapi.json: HTTP ${answer.status} ${content.slice(0, 200)}`);
  const description = readDescription(JSON.parse(content));
  kept = { tag: answer.headers.get("etag") ?? "", description };
  return description;
}
