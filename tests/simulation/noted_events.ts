import { type AgentEvents, noAgentEvents } from "../../src/agent/agent_events.ts";
import { noServerEvents, type ServerEvents } from "../../src/server/server_events.ts";
import type { StreamEnd } from "../../src/streams/packet_stream.ts";
import type { Timeline } from "./timeline.ts";

const why = (end: StreamEnd) => end.kind === "failed" ? end.error.message : "in order";

/** What a server reports, as lines of a timeline. @param linked an agent has a link to it */
export function serverNotes(host: string, timeline: Timeline, linked: () => void): ServerEvents {
  const note = (text: () => string) => timeline.note(() => `  ${host}: ${text()}`);
  return {
    ...noServerEvents,
    agentConnected: ({ info }) => {
      linked();
      note(() => `link of ${info.agentId}`);
    },
    agentDisconnected: ({ info }, end) => note(() => `link of ${info.agentId} ended: ${why(end)}`),
    dialFailed: (reason, message, dial) =>
      note(() => `dial of ${dial?.target.address ?? "?"} failed: ${reason}, ${message ?? ""}`),
    dialed: (_seconds, { target, agent }) => note(() => `${target.address} is open through ${agent?.agentId}`),
    tunnelClosed: (_seconds, reason, initiator, { target }, error) =>
      note(() => `${target.address} is closed: ${reason} by ${initiator} ${error}`),
  };
}

/** What an agent reports, as lines of a timeline. */
export function agentNotes(host: string, timeline: Timeline): AgentEvents {
  const note = (text: () => string) => timeline.note(() => `  ${host}: ${text()}`);
  return {
    ...noAgentEvents,
    linkOpened: ({ link }) => note(() => `link to ${link.server.serverId}`),
    linkClosed: ({ link }, end) => note(() => `link to ${link.server.serverId} ended: ${why(end)}`),
    linkFailed: (address, message) => note(() => `no link to ${address}: ${message}`),
    dialDropped: (reason, _message, _seconds, _random, destination) => note(() => `dial of ${destination} ${reason}`),
    endpointDialed: (_seconds, { destination }) => note(() => `${destination} is dialled`),
    endpointDialFailed: (_reason, message, _seconds, { destination }) =>
      note(() => `${destination} failed: ${message}`),
    endpointClosed: (_seconds, reason, initiator, { destination }) =>
      note(() => `${destination} is closed: ${reason} by ${initiator}`),
  };
}
