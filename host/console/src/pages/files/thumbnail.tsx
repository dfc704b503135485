/**
 * Small pictures of files. A few are loaded at once, those that were asked for last first. Each is
 * made small before it is kept, and the oldest ones go.
 */
import { type Signal, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { stowage } from "../../server";
import { Icon } from "../../ui/icon";
import type { Entry } from "./entry";
import { kindIcons } from "./kind";
import { isProtected, pictureType, sniffedBytes } from "./sniff";

const mostLoads = 4;
const mostKept = 300;
/** A larger picture is not loaded for a thumbnail, in bytes. */
const largestPicture = 12 << 20;
/** In pixels of the screen. */
const height = 96;

type Thumbnail = { url: string } | "loading" | "locked" | "none";

interface Job {
  hash: string;
  platform: number;
  state: Signal<Thumbnail>;
  /** Components that show it. */
  users: number;
}

/** By hash. The one that was used longest ago is first. */
const jobs = new Map<string, Job>();
const waiting: Job[] = [];
let loading = 0;

function acquire({ hash, platform }: Entry): Job {
  let job = jobs.get(hash);
  if (job) jobs.delete(hash);
  else {
    job = { hash, platform, state: signal<Thumbnail>("loading"), users: 0 };
    waiting.push(job);
  }
  jobs.set(hash, job);
  job.users++;
  next();
  return job;
}

function release(job: Job) {
  job.users--;
  const at = waiting.indexOf(job);
  if (job.users === 0 && at >= 0) {
    // It was scrolled away before its turn.
    waiting.splice(at, 1);
    jobs.delete(job.hash);
  }
  for (const old of jobs.values()) {
    if (jobs.size <= mostKept) break;
    if (old.users > 0 || old.state.peek() === "loading") continue;
    jobs.delete(old.hash);
    const made = old.state.peek();
    if (typeof made === "object") URL.revokeObjectURL(made.url);
  }
}

function next() {
  while (loading < mostLoads) {
    const job = waiting.pop();
    if (!job) return;
    loading++;
    make(job.hash, job.platform)
      .catch((): Thumbnail => "none")
      .then((made) => {
        job.state.value = made;
        loading--;
        next();
      });
  }
}

async function make(hash: string, platform: number): Promise<Thumbnail> {
  const abort = new AbortController();
  const answer = await stowage.files.get(hash, { platform, signal: abort.signal });
  const length = Number(answer.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
  if (length > largestPicture) {
    abort.abort();
    return "none";
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const start = bytes.subarray(0, sniffedBytes);
  if (isProtected(start)) return "locked";
  const type = pictureType(start);
  if (!type) return "none";
  const picture = await createImageBitmap(new Blob([bytes], { type }), {
    resizeHeight: height,
    resizeQuality: "medium",
  });
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  picture.close();
  const small = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/webp", 0.8));
  return small ? { url: URL.createObjectURL(small) } : "none";
}

/** The picture of a file, or the icon of its kind. */
export function Thumb({ entry }: { entry: Entry }) {
  return (
    <span class={`thumb ${entry.kind}`}>
      {entry.kind === "picture" && !entry.locked && entry.hash !== "" ? (
        <Picture key={entry.hash} entry={entry} />
      ) : (
        <Icon name={entry.locked ? "lock" : kindIcons[entry.kind]} />
      )}
    </span>
  );
}

function Picture({ entry }: { entry: Entry }) {
  const [job, setJob] = useState<Job>();
  useEffect(() => {
    const mine = acquire(entry);
    setJob(mine);
    return () => release(mine);
  }, [entry.hash]);
  const made = job?.state.value ?? "loading";
  if (typeof made === "object") return <img src={made.url} alt="" draggable={false} />;
  return <Icon name={made === "locked" ? "lock" : "image"} />;
}
