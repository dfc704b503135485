import { post } from "../request.js";
import type { Server, WebSocketLike } from "../server.js";
import { type Frame, frameOf } from "./frame.js";
import type { Topic } from "./subscription.js";

/** A frame that is missing. */
export interface Gap {
  key: string;
  /** The `seq` that should have come. */
  expected: number;
  /** The `seq` that came. */
  received: number;
}

/** What a connection tells its feed. */
export interface ConnectionListener {
  /** The websocket is open. */
  opened(): void;
  /** The next frame of a topic. */
  frame(topic: Topic, frame: Frame): void;
  /** Frames are missing. The connection ends after this. */
  gap(gap: Gap): void;
}

/** The connection was lost, so it is made again. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/**
 * The longest time until the first frame of each topic. The server sends it at once, but a snapshot
 * of many tasks takes its time on a slow link.
 */
const FIRST_FRAMES_MS = 60_000;

/**
 * Subscribes the topics, connects, and delivers their frames until the connection ends. Then it
 * throws.
 *
 * The order matters. The server keeps a key for a minute without a connection, and begins each
 * connection with a snapshot. So frame 1 of a key is always its snapshot, every later frame a
 * change, and nothing is lost between. If a key was subscribed on an open connection, its snapshot
 * would have any number. And a refusal has an HTTP status only here: a browser hides that of a
 * websocket.
 */
export async function follow(
  server: Server,
  topics: readonly Topic[],
  signal: AbortSignal,
  listener: ConnectionListener,
): Promise<never> {
  await Promise.all(topics.map((topic) => subscribe(server, topic, signal)));
  signal.throwIfAborted();
  const query = topics.map(({ key }) => `key=${encodeURIComponent(key)}`).join("&");
  return delivered(server.socket(`/ws?${query}`), topics, signal, listener);
}

async function subscribe(server: Server, { key, subscription }: Topic, signal: AbortSignal): Promise<void> {
  const { type, platform, status = null } = subscription;
  await post(server, "getAllDownloadOrUploadFileProgress", { key, type, platform, status }, signal);
}

/** Delivers the frames of a websocket. The promise is rejected when it ends. */
function delivered(
  socket: WebSocketLike,
  topics: readonly Topic[],
  signal: AbortSignal,
  listener: ConnectionListener,
): Promise<never> {
  return new Promise((_, reject) => {
    const order = new Order(topics);
    let isOpen = true;
    const end = (error: unknown) => {
      if (isOpen) {
        isOpen = false;
        clearTimeout(timer);
        signal.removeEventListener("abort", aborted);
        socket.close();
        reject(error);
      }
    };
    const aborted = () => end(signal.reason);
    const timer = setTimeout(() => end(new ConnectionLost("the server sent no snapshot in time")), FIRST_FRAMES_MS);
    signal.addEventListener("abort", aborted);
    socket.addEventListener("open", () => isOpen && listener.opened());
    socket.addEventListener("message", ({ data }: { data: unknown }) => {
      if (!isOpen) {
        return;
      }
      try {
        const frame = frameOf(data);
        const gap = order.accept(frame);
        if (gap !== undefined) {
          listener.gap(gap);
          end(new ConnectionLost(`frames of the key ${gap.key} were lost`));
          return;
        }
        if (order.isComplete) {
          clearTimeout(timer);
        }
        const topic = topics.find(({ key }) => key === frame.key);
        if (topic !== undefined) {
          listener.frame(topic, frame);
        }
      } catch (error) {
        end(error);
      }
    });
    // An error event has no reason in a browser. The close event follows it.
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", ({ code, reason }: { code?: number; reason?: string }) => {
      end(new ConnectionLost(`the websocket was closed (${reason || `code ${code ?? "unknown"}`})`));
    });
  });
}

/** The number of the last frame of each key. */
class Order {
  readonly #last: Map<string, number>;

  constructor(topics: readonly Topic[]) {
    this.#last = new Map(topics.map(({ key }) => [key, 0]));
  }

  /** Takes a frame. Returns what is missing before it. */
  accept({ key, seq }: Frame): Gap | undefined {
    const expected = (this.#last.get(key) ?? 0) + 1;
    if (seq !== expected) {
      return { key, expected, received: seq };
    }
    this.#last.set(key, seq);
    return undefined;
  }

  /** Whether each topic had a frame. */
  get isComplete(): boolean {
    return [...this.#last.values()].every((seq) => seq > 0);
  }
}
