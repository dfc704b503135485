/** The page as a place to drop files. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { Icon } from "../../../ui/icon";
import { text } from "../text";

interface DropZoneProps {
  onDrop: (files: File[]) => void;
  /** Whether it takes files now. */
  open: boolean;
  children: ComponentChildren;
}

export function DropZone({ onDrop, open, children }: DropZoneProps) {
  const [over, setOver] = useState(false);
  /** The pointer enters an element before it leaves the one around it. */
  const depth = useRef(0);
  const takes = (event: DragEvent) => open && (event.dataTransfer?.types.includes("Files") ?? false);
  const end = () => {
    depth.current = 0;
    setOver(false);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a button does the same by keyboard.
    <div
      class="drop-zone"
      data-over={over}
      onDragEnter={(event) => {
        if (!takes(event)) return;
        depth.current++;
        setOver(true);
      }}
      onDragOver={(event) => {
        if (takes(event)) event.preventDefault();
      }}
      onDragLeave={(event) => {
        if (takes(event) && --depth.current <= 0) end();
      }}
      onDrop={(event) => {
        if (!takes(event)) return;
        event.preventDefault();
        end();
        const files = [...(event.dataTransfer?.files ?? [])];
        if (files.length > 0) onDrop(files);
      }}
    >
      {children}
      {over && (
        <div class="drop-over">
          <Icon name="upload" />
          {text().dropHere}
        </div>
      )}
    </div>
  );
}
