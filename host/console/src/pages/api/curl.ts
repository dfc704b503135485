/** A call as a command for a terminal. */

/** One word of a POSIX shell, whatever is in the text. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export interface Call {
  method: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  /** The JSON of the body. */
  body?: string | undefined;
  /** The file whose bytes are the body. */
  file?: string | undefined;
  /** Whether the server asks for its token. */
  token: boolean;
}

/** The token is a placeholder: the one of this page belongs to this page. */
export function curl({ method, url, headers, body, file, token }: Call): string {
  const parts: string[] = [];
  // curl sends POST by itself with a body, PUT with a file, and asks for the head with -I.
  if (method === "HEAD") parts.push("-I");
  else if (method === "PUT" && file !== undefined) parts.push("-T", quote(file));
  else if (!(method === "GET" || (method === "POST" && body !== undefined))) parts.push("-X", method);
  parts.push(quote(url));
  const lines = [parts.join(" ")];
  if (token) lines.push("-H 'authorization: Bearer TOKEN'");
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quote(`${name}: ${value}`)}`);
  if (body !== undefined) lines.push(`--data-raw ${quote(body)}`);
  if (file !== undefined && method !== "PUT") lines.push(`--data-binary ${quote(`@${file}`)}`);
  return `curl ${lines.join(" \\\n  ")}`;
}
