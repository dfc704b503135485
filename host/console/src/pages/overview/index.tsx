/** What the server does now, and what it needs. */
import { Loaded } from "../../ui/states";
import { LiveModules } from "./live_modules";
import { useOverview } from "./load";
import { CallPlots } from "./plots";
import "./overview.css";
import { RunningTransfers } from "./running";
import { SpaceCard } from "./space";
import { Tiles } from "./tiles";
import { Warnings } from "./warnings";

export default function OverviewPage() {
  const query = useOverview();
  return (
    <div class="page overview">
      <Loaded query={query} lines={8}>
        {(overview) => (
          <>
            <Warnings warnings={overview.warnings} />
            <Tiles overview={overview} />
            <CallPlots timeline={overview.timeline} />
          </>
        )}
      </Loaded>
      <div class="overview-pair">
        <SpaceCard />
        <RunningTransfers />
      </div>
      <LiveModules />
    </div>
  );
}
