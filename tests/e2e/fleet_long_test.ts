import { leakTest } from "../support/assert/leak_free.ts";
import { servesThroughChanges } from "./fleet_story.ts";

leakTest(
  "[server 13.8-28] [agent 9-46] a fleet of 3 servers and 4 agents serves every request that can be served, while its members are killed, drained, restarted and scaled",
  (t) => servesThroughChanges(t, 4, true),
);
