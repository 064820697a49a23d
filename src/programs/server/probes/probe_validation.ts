import { formatDuration } from "../../../flags/duration.ts";
import { quote } from "../../../flags/flag_error.ts";
import { type Fault, notPositiveFault } from "../../../flags/validation.ts";
import { readHost } from "../../../wire/destination/destination_host.ts";
import { judgeAsked } from "../../../wire/destination/destination_policy.ts";
import { formatHostPort, parseHostPort } from "../../../wire/destination/host_port.ts";
import { wireLimits } from "../../../wire/limits.ts";
import { destinationLists } from "../../destination_flags.ts";
import type { ServerOptions } from "../server_options.ts";

/** Each costs a handful of series, and dials for as long as the server runs. */
const maxDestinations = 16;

const shortestIntervalMs = 100;

/** What is wrong with the flags of probes; the lists of destinations are known to be sound. */
export function probesFault(options: ServerOptions): Fault {
  const { probeDestinations, probeReadiness, probeIntervalMs, probeTimeoutMs } = options;
  if (probeReadiness && probeDestinations.length === 0) {
    return "--probe-readiness needs --probe-destination: without one the server would never be ready";
  }
  const times = notPositiveFault({ "probe-interval": probeIntervalMs, "probe-timeout": probeTimeoutMs });
  if (times !== undefined) return times;
  if (probeIntervalMs < shortestIntervalMs) {
    return `--probe-interval must be at least 100ms, got ${formatDuration(probeIntervalMs)}`;
  }
  if (probeTimeoutMs > probeIntervalMs) {
    const [timeout, interval] = [formatDuration(probeTimeoutMs), formatDuration(probeIntervalMs)];
    return `--probe-timeout must not be longer than --probe-interval (${interval}), got ${timeout}`;
  }
  if (probeDestinations.length > maxDestinations) {
    return `--probe-destination names ${probeDestinations.length} destinations, ${maxDestinations} at most`;
  }
  return destinationFault(options);
}

function destinationFault({ probeDestinations, destinations, denyDestinations }: ServerOptions): Fault {
  const lists = destinationLists(destinations, denyDestinations);
  const known = new Map<string, string>();
  for (const text of probeDestinations) {
    const target = parseHostPort(text);
    const at = `--probe-destination: ${quote(text)}`;
    if (text.length > wireLimits.maxAddressLength) {
      return `--probe-destination: an address of ${text.length} characters is longer than any can be`;
    }
    if (typeof target === "string") return `${at}: ${target}, HOST:PORT is needed, such as 10.96.0.1:443`;
    const asked = readHost(target.host);
    // An empty host would be the agent's own machine, whichever agent that is.
    if (target.host === "" || asked.kind === "none") {
      return `${at} names no host, HOST:PORT is needed with a name or an address, such as 10.96.0.1:443`;
    }
    if (target.port === 0) return `${at} has no port that can be dialled, 1 to 65535`;
    const key = formatHostPort(asked.kind === "address" ? asked.text : asked.name, target.port);
    const other = known.get(key);
    if (other !== undefined) return `${at} is there twice${other === text ? "" : `, as ${quote(other)}`}`;
    known.set(key, text);
    const verdict = judgeAsked(lists, asked, target.port);
    if (verdict === "denied") return `${at} is among this server's --deny-destinations, so that every probe would fail`;
    if (verdict === "unlisted") {
      return `${at} is not among this server's --destinations, so that every probe would fail`;
    }
  }
  return undefined;
}
