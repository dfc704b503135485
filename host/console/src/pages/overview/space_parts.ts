/** What uses the space, by platform. */
import type { Data, paths } from "stowage-client";
import { parseBytes } from "../../format";

export type SpaceInfo = Data<paths, "getStorageSpaceInfo">;

export interface Part {
  /** The number of the platform. */
  platform: 0 | 1 | 2 | 3 | 4;
  size: string;
  /** The bytes, as exactly as the text says. */
  bytes: number;
}

/** The parts of the space, the largest first. */
export function partsOf(info: SpaceInfo): Part[] {
  const sizes: [Part["platform"], string][] = [
    [3, info.storageSize],
    [2, info.collectSize],
    [0, info.backupsSize],
    [1, info.tempFilesSize],
    [4, info.dappSize],
  ];
  const parts = sizes.map(([platform, size]) => ({ platform, size, bytes: parseBytes(size) ?? 0 }));
  return parts.sort((a, b) => b.bytes - a.bytes);
}
