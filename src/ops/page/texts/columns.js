// @ts-check
/**
 * The columns of the page's tables: what a cell says, and by what it sorts.
 * @module
 */
import { ago, bytes, count, duration, milliseconds, rate } from "../texts/units.js";

/** @typedef {import("../../status/server_status.ts").AgentEntry} AgentEntry */
/** @typedef {import("../../status/server_status.ts").DialEntry} DialEntry */
/** @typedef {import("../../status/server_status.ts").TunnelEntry} TunnelEntry */
/** @typedef {import("../../status/agent_status.ts").LinkEntry} LinkEntry */
/** @typedef {import("../../status/agent_status.ts").EndpointEntry} EndpointEntry */
/** @typedef {import("../../status/agent_status.ts").RouteEntry} RouteEntry */
/** @typedef {import("../../status/recent_failures.ts").FailureStatus} FailureStatus */
/** @typedef {import("../../status/status_page.ts").ByteCounts} ByteCounts */
/**
 * @template T
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {(entry: T, now: number) => string} text `now`: milliseconds since the epoch, of the program's clock
 * @property {(entry: T) => string | number} sort
 * @property {boolean} [numeric] it is aligned to the right, and sorts from the highest at first
 * @property {boolean} [wide] it takes what room there is
 * @property {boolean} [plot] a plot of the last minutes is behind the text
 */

/** @param {ByteCounts} both */
const sum = ({ sent, received }) => sent + received;
/** @param {ByteCounts} both */
const each = ({ sent, received }) => `${bytes(sent)} → ${bytes(received)} ←`;
/** @type {Column<{ readonly seconds: number }>} */
const age = {
  key: "age",
  title: "Age",
  text: ({ seconds }) => duration(seconds),
  sort: (entry) => entry.seconds,
  numeric: true,
};
/** @type {Column<{ readonly bytes: ByteCounts }>} */
const carried = {
  key: "bytes",
  title: "Bytes",
  text: ({ bytes }) => each(bytes),
  sort: ({ bytes }) => sum(bytes),
  numeric: true,
};
/** @type {Column<{ readonly queuedBytes: number }>} */
const queued = {
  key: "queued",
  title: "Queued",
  text: ({ queuedBytes }) => queuedBytes === 0 ? "–" : bytes(queuedBytes),
  sort: ({ queuedBytes }) => queuedBytes,
  numeric: true,
};
/** @type {Column<{ readonly rate?: ByteCounts }>} */
const flow = {
  key: "rate",
  title: "Rate",
  text: ({ rate: now }) => now === undefined ? "–" : sum(now) === 0 ? "idle" : rate(sum(now)),
  sort: ({ rate: now }) => now === undefined ? -1 : sum(now),
  numeric: true,
};
/** @type {Column<{ readonly roundTripMs?: number }>} */
const roundTrip = {
  key: "rtt",
  title: "Round trip",
  text: ({ roundTripMs }) => roundTripMs === undefined ? "–" : milliseconds(roundTripMs),
  sort: ({ roundTripMs }) => roundTripMs ?? -1,
  numeric: true,
};
/** @type {Column<{ readonly tunnels: number }>} */
const tunnelCount = {
  key: "tunnels",
  title: "Tunnels",
  text: ({ tunnels }) => count(tunnels),
  sort: ({ tunnels }) => tunnels,
  numeric: true,
};
/** @type {Column<{ readonly destination: string }>} */
const destination = {
  key: "destination",
  title: "Destination",
  text: (entry) => entry.destination,
  sort: (entry) => entry.destination,
  wide: true,
};
/** @type {Column<{ readonly client: { readonly name: string, readonly address: string } }>} */
const client = {
  key: "client",
  title: "Client",
  text: ({ client: { name, address } }) => name === address || address === "" ? name : `${name} (${address})`,
  sort: ({ client: { name, address } }) => `${name} ${address}`,
};
/** @type {Column<{ readonly agent: string }>} */
const agent = { key: "agent", title: "Agent", text: (entry) => entry.agent, sort: (entry) => entry.agent };
/** @type {Column<{ readonly server: string }>} */
const server = { key: "server", title: "Server", text: (entry) => entry.server, sort: (entry) => entry.server };

/** @param {AgentEntry} entry */
const agentState = ({ draining, stalled }) => stalled ? "stalled" : draining ? "draining" : "up";

/** @type {readonly Column<AgentEntry>[]} */
export const agentColumns = [
  { key: "id", title: "Agent", text: ({ id }) => id, sort: ({ id }) => id, wide: true },
  { key: "state", title: "State", text: agentState, sort: agentState },
  { ...flow, plot: true },
  tunnelCount,
  carried,
  queued,
  roundTrip,
  age,
  {
    key: "address",
    title: "From",
    text: ({ name, address, link, worker }) =>
      `${name === address ? address : `${address} (${name})`}, ${link}${
        worker === undefined ? "" : `, worker ${worker}`
      }`,
    sort: ({ address }) => address,
  },
  {
    key: "identifiers",
    title: "Stands for",
    text: ({ identifiers: [first = "–"], identifierCount: all }) =>
      all < 2 ? first : `${first} and ${count(all - 1)} more`,
    sort: ({ identifiers }) => identifiers.join(" "),
  },
];

/** @param {TunnelEntry} entry */
const tunnelState = ({ state, waitsFor }) => waitsFor === undefined ? state : `${state}, waits for ${waitsFor}`;

/** @type {readonly Column<TunnelEntry & { readonly rate?: ByteCounts }>[]} */
export const tunnelColumns = [
  destination,
  client,
  agent,
  { key: "state", title: "State", text: tunnelState, sort: tunnelState },
  flow,
  carried,
  queued,
  age,
  { key: "id", title: "Id in logs", text: ({ id }) => id, sort: ({ id }) => id },
];

/** @type {readonly Column<DialEntry>[]} */
export const dialColumns = [
  destination,
  client,
  agent,
  { ...age, title: "Waits" },
  { key: "id", title: "Id in logs", text: ({ id }) => id, sort: ({ id }) => id },
];

/** @type {readonly Column<LinkEntry>[]} */
export const linkColumns = [
  { ...server, wide: true },
  { key: "state", title: "State", text: ({ state }) => state, sort: ({ state }) => state },
  { ...flow, plot: true },
  tunnelCount,
  carried,
  queued,
  roundTrip,
  age,
  { key: "address", title: "Address", text: ({ address }) => address, sort: ({ address }) => address },
  { key: "link", title: "Link", text: ({ link }) => link, sort: ({ link }) => link },
];

/** @type {readonly Column<EndpointEntry & { readonly rate?: ByteCounts }>[]} */
export const endpointColumns = [
  destination,
  server,
  { key: "state", title: "State", text: ({ state }) => state, sort: ({ state }) => state },
  flow,
  carried,
  queued,
  age,
  { key: "id", title: "Id in logs", text: ({ id }) => id, sort: ({ id }) => id },
];

/** @type {readonly Column<EndpointEntry>[]} */
export const endpointDialColumns = [
  destination,
  server,
  { ...age, title: "Waits" },
  { key: "id", title: "Id in logs", text: ({ id }) => id, sort: ({ id }) => id },
];

/** @type {readonly Column<RouteEntry>[]} */
export const routeColumns = [
  {
    key: "address",
    title: "Address",
    text: ({ host, address, proxy }) =>
      `${address}${address.startsWith(host) ? "" : ` (${host})`}${proxy === undefined ? "" : ` by ${proxy}`}`,
    sort: ({ address }) => address,
    wide: true,
  },
  { key: "state", title: "State", text: ({ state }) => state, sort: ({ state }) => state },
  { key: "links", title: "Links", text: ({ links }) => count(links), sort: ({ links }) => links, numeric: true },
  {
    key: "next",
    title: "Next attempt",
    text: ({ nextAttemptSeconds: wait }) => wait === undefined ? "–" : `in ${duration(wait)}`,
    sort: ({ nextAttemptSeconds }) => nextAttemptSeconds ?? 0,
    numeric: true,
  },
  {
    key: "failure",
    title: "Last error",
    text: ({ failure }) => failure ?? "–",
    sort: ({ failure }) => failure ?? "",
    wide: true,
  },
];

/** @type {readonly Column<FailureStatus>[]} */
export const failureColumns = [
  {
    key: "time",
    title: "When",
    text: ({ time }, now) => ago(Math.max(0, (now - Date.parse(time)) / 1000)),
    sort: ({ time }) => Date.parse(time),
    numeric: true,
  },
  { key: "reason", title: "Reason", text: ({ reason }) => reason, sort: ({ reason }) => reason },
  destination,
  { key: "client", title: "Client", text: ({ client }) => client ?? "–", sort: ({ client }) => client ?? "" },
  { key: "message", title: "Message", text: ({ message }) => message, sort: ({ message }) => message, wide: true },
];
