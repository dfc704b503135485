import { expect, test } from "vitest";
import { partsOf } from "./space_parts";

test("the parts are those of the API, the largest first", () => {
  const parts = partsOf({
    storageSize: "64 MB",
    storageScale: 1,
    collectSize: "539.51 KB",
    collectScale: 1,
    backupsSize: "11.84 KB",
    backupsScale: 1,
    dappSize: "168 B",
    tempFilesSize: "16.75 MB",
    occupySize: "81.29 MB",
    remainingSize: "9.92 GB",
    totalSize: "10 GB",
    remainingScale: 97,
  });
  expect(parts.map((part) => part.platform)).toEqual([3, 1, 2, 0, 4]);
  expect(parts[0]).toEqual({ platform: 3, size: "64 MB", bytes: 67_108_864 });
});
