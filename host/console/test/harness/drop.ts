import type { Page } from "playwright-core";

export interface Dropped {
  name: string;
  bytes: Buffer;
  type?: string;
}

/** Drops files on an element, with the events that a browser sends. */
export async function drop(page: Page, selector: string, files: readonly Dropped[]) {
  const target = page.locator(selector);
  const sent = files.map(({ name, bytes, type = "" }) => ({ name, type, base64: bytes.toString("base64") }));
  await target.evaluate((element, all) => {
    const transfer = new DataTransfer();
    for (const { name, type, base64 } of all) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type }));
    }
    for (const event of ["dragenter", "dragover", "drop"]) {
      element.dispatchEvent(
        new DragEvent(event, { bubbles: true, cancelable: true, composed: true, dataTransfer: transfer }),
      );
    }
  }, sent);
}
