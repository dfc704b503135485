/** How full the space is: a picture, and the same numbers as a table. */
import { parseBytes, share } from "../../format";
import { common } from "../../i18n";
import { useQuery } from "../../query";
import { stowage } from "../../server";
import { EmptyState, Loaded } from "../../ui/states";
import { partsOf, type SpaceInfo } from "./space_parts";
import { text } from "./text";

export function SpaceCard() {
  const t = text().space;
  const query = useQuery((signal) => stowage.call("getStorageSpaceInfo", {}, { signal }), [], { every: 10_000 });
  return (
    <section class="card">
      <h2>{t.title}</h2>
      <Loaded query={query} lines={5}>
        {(info) => <Space info={info} />}
      </Loaded>
    </section>
  );
}

function Space({ info }: { info: SpaceInfo }) {
  const t = text().space;
  const parts = partsOf(info);
  const used = parts.reduce((sum, part) => sum + part.bytes, 0);
  const total = parseBytes(info.totalSize) ?? 0;
  const filled = total > 0 ? Math.min(1, used / total) : 0;
  if (used === 0) {
    return (
      <EmptyState icon="cloud" title={t.empty}>
        {t.emptyNext}
      </EmptyState>
    );
  }
  return (
    <div class="space">
      <p class="space-used">
        <strong>{t.used(info.occupySize, info.totalSize)}</strong>
        <span class="muted">{t.free(info.remainingSize)}</span>
      </p>
      <div class="space-whole" aria-hidden="true">
        <i style={{ transform: `scaleX(${Math.max(filled, 0.004)})` }} />
      </div>
      <div class="space-parts" aria-hidden="true">
        {parts
          .filter((part) => part.bytes > 0)
          .map((part) => (
            <i key={part.platform} class={`part-${part.platform}`} style={{ flexGrow: String(part.bytes / used) }} />
          ))}
      </div>
      <table class="space-legend">
        <caption class="hidden">{t.parts}</caption>
        <thead class="hidden">
          <tr>
            <th scope="col">{t.part}</th>
            <th scope="col">{t.size}</th>
            <th scope="col">{t.share}</th>
          </tr>
        </thead>
        <tbody>
          {parts.map((part) => (
            <tr key={part.platform}>
              <th scope="row">
                <i class={`swatch part-${part.platform}`} />
                {common().platforms[part.platform]}
              </th>
              <td class="number">{part.size}</td>
              <td class="number muted">{share(part.bytes, used)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
