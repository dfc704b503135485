import { type FileProgress, Stowage } from "../../src/index.js";
import { bytes, same } from "../harness/bytes.js";
import { type Outcome, scenario } from "../harness/scenario.js";

/** What a test calls in the page. */
export interface Page {
  scenario(url: string, token?: string): Promise<Outcome>;
  /** Begins a resumable upload, and aborts it when half of it is sent. Returns the error's message. */
  interrupted(url: string): Promise<string>;
  /** Sends the same file again. Returns the progress, and whether the stored bytes are right. */
  continued(url: string): Promise<{ progress: FileProgress[]; isSame: boolean }>;
  /** Sends a stream, and returns the hash. */
  streamed(url: string): Promise<string>;
  /** The name of the error of a call. */
  failing(url: string): Promise<string>;
}

const SIZE_BYTES = 30_000_000;

/** The same file, each time that the page is loaded. */
function large(): File {
  return new File([bytes(SIZE_BYTES, 31)], "large.bin", { lastModified: 1_744_200_000_000 });
}

const page: Page = {
  scenario: (url, token) => scenario(url, undefined, token),

  async interrupted(url) {
    const controller = new AbortController();
    const onProgress = ({ loaded }: FileProgress) => {
      if (loaded > SIZE_BYTES / 2) {
        controller.abort(new Error("the page is closed"));
      }
    };
    const options = { signal: controller.signal, onProgress };
    const sending = new Stowage({ url }).files.resumable(large(), { platform: 3 }, options);
    return sending.then(
      () => "no error",
      (error: Error) => error.message,
    );
  },

  async continued(url) {
    const progress: FileProgress[] = [];
    const stowage = new Stowage({ url });
    const options = { onProgress: (now: FileProgress) => progress.push(now) };
    const { taskId, hash } = await stowage.files.resumable(large(), { platform: 3 }, options);
    const feed = stowage.feed({ type: 0, platform: 3 });
    for await (const _ of feed) {
      if (feed.tasks.get(taskId)?.status === 1) {
        break;
      }
    }
    const back = new Uint8Array(await (await stowage.files.get(hash)).arrayBuffer());
    return { progress, isSame: same(back, bytes(SIZE_BYTES, 31)) };
  },

  async streamed(url) {
    const body = new Blob([bytes(100_000, 32)]).stream();
    return (await new Stowage({ url }).files.put(body, { platform: 3, name: "stream.bin" })).hash;
  },

  failing: (url) =>
    new Stowage({ url }).call("getStorageSpaceInfo").then(
      () => "no error",
      (error: Error) => error.name,
    ),
};

Object.assign(globalThis, { client: page });
