/** How far the bytes of a file are. */
export interface FileProgress {
  /** Bytes that were sent or received. */
  loaded: number;
  /** Bytes of the whole body. `null` if nobody knows it before the end. */
  total: number | null;
}

/** Is told as bytes move, and once more at the end. */
export type OnProgress = (progress: FileProgress) => void;

/** A stream of the same bytes that tells how many went through it. */
export function counted(
  stream: ReadableStream<Uint8Array>,
  total: number | null,
  onProgress: OnProgress,
): ReadableStream<Uint8Array> {
  let loaded = 0;
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        controller.enqueue(chunk);
        loaded += chunk.byteLength;
        onProgress({ loaded, total });
      },
      flush() {
        if (loaded === 0) {
          onProgress({ loaded, total });
        }
      },
    }),
  );
}
