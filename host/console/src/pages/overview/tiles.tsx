import type { ComponentChildren } from "preact";
import type { Overview } from "../../admin";
import { bytes, dateTime, duration, number } from "../../format";
import { Icon, type IconName } from "../../ui/icon";
import { text } from "./text";

export function Tiles({ overview }: { overview: Overview }) {
  const t = text().tiles;
  const { started, now, data, space, memory, connections, subscribers } = overview;
  return (
    <dl class="tiles">
      <Tile icon="clock" name={t.uptime} note={t.started(dateTime(started))}>
        {duration(Math.floor((now - started) / 1000))}
      </Tile>
      <Tile
        icon="cloud"
        name={t.space}
        bad={!space.reachable}
        note={space.outbox > 0 ? t.outbox(number(space.outbox)) : space.name}
      >
        {space.reachable ? t.reachable : t.unreachable}
      </Tile>
      {data.free !== null && (
        <Tile icon="archive" name={t.disk} note={t.ofTotal(bytes(data.total ?? data.free))}>
          {bytes(data.free)}
        </Tile>
      )}
      {memory !== null && (
        <Tile icon="gauge" name={t.memory} note={`Stowage ${overview.version}`}>
          {bytes(memory)}
        </Tile>
      )}
      <Tile icon="transfers" name={t.connections} note={t.subscribers(subscribers)}>
        {number(connections)}
      </Tile>
    </dl>
  );
}

interface TileProps {
  icon: IconName;
  name: string;
  note: string;
  bad?: boolean;
  children: ComponentChildren;
}

function Tile({ icon, name, note, bad, children }: TileProps) {
  return (
    <div class={`tile${bad ? " bad" : ""}`}>
      <dt>
        <Icon name={icon} />
        {name}
      </dt>
      <dd>
        <strong>{children}</strong>
        <span class="ellipsis" title={note}>
          {note}
        </span>
      </dd>
    </div>
  );
}
