/** How far the bytes of a file are. */
export interface FileProgress {
  /** Bytes that were sent or received. */
  loaded: number;
  /** Bytes of the whole body. `null` if nobody knows it before the end. */
  total: number | null;
}

/** Is told as bytes move, and once more at the end. */
export type OnProgress = (progress: FileProgress) => void;

/** The most bytes between two steps of the progress. Platforms give blobs as one huge chunk. */
const STEP_BYTES = 64 << 10;

/**
 * A stream of the same bytes that tells how many were taken from it.
 *
 * @param signal Ends the stream. After an abort, `fetch` of Node reads the body of a request to its
 * end, which may never come.
 */
export function counted(
  stream: ReadableStream<Uint8Array>,
  total: number | null,
  onProgress: OnProgress | undefined,
  signal?: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let loaded = 0;
  let rest: Uint8Array = new Uint8Array();
  // Without a queue of its own: a step is told when it is taken.
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (rest.byteLength === 0) {
          if (signal?.aborted) {
            await reader.cancel(signal.reason);
            throw signal.reason;
          }
          const { done, value } = await reader.read();
          if (done) {
            controller.close();
            if (loaded === 0) {
              onProgress?.({ loaded, total });
            }
            return;
          }
          rest = value;
        }
        const step = rest.subarray(0, STEP_BYTES);
        rest = rest.subarray(STEP_BYTES);
        loaded += step.byteLength;
        controller.enqueue(step);
        onProgress?.({ loaded, total });
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
