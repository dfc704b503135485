/** Files that are dropped anywhere on the page go to the folder of the list. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { Icon } from "../../ui/icon";
import { toast } from "../../ui/toast";
import { text } from "./text";

export interface DropZoneProps {
  /** The name of the folder. */
  place: string;
  /** Undefined where nothing can be uploaded. */
  onFiles: ((files: File[]) => void) | undefined;
  children: ComponentChildren;
}

export function DropZone({ place, onFiles, children }: DropZoneProps) {
  const t = text().drop;
  const [over, setOver] = useState(false);
  // Each element below enters before the last one leaves.
  const depth = useRef(0);
  const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  const end = () => {
    depth.current = 0;
    setOver(false);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the button Upload does the same by keyboard.
    <div
      class="page fill files"
      onDragEnter={(event) => {
        if (!carries(event)) return;
        event.preventDefault();
        depth.current++;
        setOver(true);
      }}
      onDragOver={(event) => {
        if (!carries(event)) return;
        event.preventDefault();
        if (event.dataTransfer) event.dataTransfer.dropEffect = onFiles ? "copy" : "none";
      }}
      onDragLeave={(event) => {
        if (carries(event) && --depth.current <= 0) end();
      }}
      onDrop={(event) => {
        if (!carries(event)) return;
        event.preventDefault();
        end();
        const files = droppedFiles(event.dataTransfer);
        if (!onFiles) toast(t.nowhere);
        else if (files.length > 0) onFiles(files);
      }}
    >
      {children}
      {over && (
        <div class="drop-over">
          <div>
            <Icon name="upload" />
            {onFiles ? t.here(place) : t.nowhere}
          </div>
        </div>
      )}
    </div>
  );
}

/** A dropped directory looks like a file without a type, and cannot be read as one. */
function droppedFiles(data: DataTransfer | null): File[] {
  const files: File[] = [];
  for (const item of data?.items ?? []) {
    const file = item.kind === "file" && !item.webkitGetAsEntry()?.isDirectory ? item.getAsFile() : null;
    if (file) files.push(file);
  }
  return files;
}
