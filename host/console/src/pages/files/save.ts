/** Gives bytes to the person as a file of the browser's downloads. */
import { info } from "../../connection";
import { stowage } from "../../server";

export function saveAs(content: Blob, name: string) {
  const url = URL.createObjectURL(content);
  click(url, name);
  // The browser has the bytes when it has read the address. A minute is much longer than that.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Downloads by a link, so that the browser writes to the disk as it receives. A link carries no
 * session: it works on a server without a token. Returns whether it was tried.
 */
export function saveByLink(name: string, hash: string, platform: number): boolean {
  if (info.peek()?.tokenRequired !== false) return false;
  click(stowage.files.url(hash, { platform }), name);
  return true;
}

function click(url: string, name: string) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
