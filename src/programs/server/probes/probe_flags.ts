import { bool, duration, type Flag, inGroup, strings } from "../../../flags/flag.ts";

/** Destinations that proxy-server dials for itself, to see whether they can be reached. */
export const probeFlags: readonly Flag[] = inGroup("Probes of destinations", [
  {
    name: "probe-destination",
    type: strings,
    default: "",
    since: "ours",
    help:
      "HOST:PORT that the server dials through an agent every --probe-interval, as a client would, and closes again, " +
      "without sending anything; give it again for more, 16 at most. Outcomes are in the metrics server_probe_*, in " +
      "/readyz?verbose and in /status. With --workers each worker dials, since each has links of its own. " +
      "--destinations and --deny-destinations must allow it, --client-destinations do not count",
  },
  {
    name: "probe-interval",
    type: duration,
    default: "30s",
    since: "ours",
    help:
      "from the beginning of one probe to that of the next, 100ms at least; a destination that was not reached is " +
      "also tried when an agent connects",
  },
  {
    name: "probe-timeout",
    type: duration,
    default: "10s",
    defaultText: "10s, or --probe-interval where that is shorter",
    since: "ours",
    help: "how long a probe may take; --backend-dial-timeout counts as well",
  },
  {
    name: "probe-readiness",
    type: bool,
    default: "false",
    since: "ours",
    help:
      "be ready only while at least one --probe-destination can be reached: from its first success on, until it has " +
      "failed three times in a row; needs --probe-destination",
  },
]);
