import { neededTest } from "../support/assert/needed.ts";
import { whyNoH2load } from "./h2load.ts";
import { keepsBounds } from "./h2load_bounds.ts";

neededTest(
  "h2load, --http2=runtime: calls within the bounds are all answered, a connection beyond them is closed, and neither harms a neighbour",
  whyNoH2load,
  (t) => keepsBounds(t, "runtime"),
);
