/** What a row is, by its message and by the name of its file. */
import type { IconName } from "../../ui/icon";

export type Kind = "folder" | "picture" | "video" | "voice" | "text" | "file";

export const kindIcons: Record<Kind, IconName> = {
  folder: "folder",
  picture: "image",
  video: "play",
  voice: "voice",
  text: "text",
  file: "file",
};

const pictures = "jpg jpeg jfif png gif bmp webp avif heic heif tif tiff ico";
const videos = "mp4 m4v mov avi mkv webm wmv flv 3gp 3gpp mpg mpeg rmvb";
const voices = "amr silk mp3 wav m4a aac ogg oga opus flac wma caf aif aiff";
const readable =
  "txt md log csv tsv json jsonl xml yaml yml toml ini conf html htm css js mjs ts tsx jsx rs py go java c h cpp " +
  "hpp sh sql svg wit srt vtt";

const byExtension = new Map<string, Kind>();
for (const [list, kind] of [
  [pictures, "picture"],
  [videos, "video"],
  [voices, "voice"],
] as const) {
  for (const extension of list.split(" ")) byExtension.set(extension, kind);
}
const textExtensions = new Set(readable.split(" "));

/** The extension without its dot, in lower case, or empty. A dot at the start is none. */
export function extension(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : "";
}

export function kindOfName(name: string): Kind {
  return byExtension.get(extension(name)) ?? "file";
}

/** Whether the bytes of a file with this name are text that a person can read. */
export function isTextName(name: string): boolean {
  return textExtensions.has(extension(name));
}
