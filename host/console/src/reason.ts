/** Why something failed, in words for a person. */
import { StowageError } from "stowage-client";

/** The server's own words, without the name of the method and the numbers around them. */
export function reasonOf(error: unknown): string {
  if (error instanceof StowageError) return error.reason;
  return error instanceof Error ? error.message : String(error);
}
