/** What bytes are, by how they begin. The name of a file may be wrong. */

/** Bytes that are enough for `pictureType` and `isProtected`. */
export const sniffedBytes = 32;

const ascii = (bytes: Uint8Array, from: number, text: string) =>
  [...text].every((character, at) => bytes[from + at] === character.charCodeAt(0));

/** The media type of a picture that browsers can show, or null. SVG is none of them: it is text. */
export function pictureType(bytes: Uint8Array): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "image/jpeg";
  if (bytes[0] === 0x89 && ascii(bytes, 1, "PNG\r\n")) return "image/png";
  if (ascii(bytes, 0, "GIF8")) return "image/gif";
  if (ascii(bytes, 0, "RIFF") && ascii(bytes, 8, "WEBP")) return "image/webp";
  if (ascii(bytes, 0, "BM")) return "image/bmp";
  if (ascii(bytes, 4, "ftypavif") || ascii(bytes, 4, "ftypavis")) return "image/avif";
  if (bytes[0] === 0 && bytes[1] === 0 && bytes[2] === 1 && bytes[3] === 0) return "image/x-icon";
  return null;
}

/** Whether a password protects the file: it is an `age` file. */
export function isProtected(bytes: Uint8Array): boolean {
  return ascii(bytes, 0, "age-encryption.org/v1");
}

/** Whether the start of a file is text in UTF-8. `cut` says that the file goes on after it. */
export function isText(bytes: Uint8Array, cut: boolean): boolean {
  if (bytes.includes(0)) return false;
  try {
    // A character at the end may be cut, so the decoder waits for its rest.
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: cut });
    return true;
  } catch {
    return false;
  }
}
