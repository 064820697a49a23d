// @ts-check
/**
 * Events of `/events` as lines of the feed.
 * @module
 */
import { bytes, counted, duration, milliseconds } from "../texts/units.js";

/** @typedef {import("../../events/server_event.ts").ServerEvent} ServerEvent */
/** @typedef {import("../../events/agent_event.ts").AgentEvent} AgentEvent */
/** @typedef {import("../../status/status_page.ts").ByteCounts} ByteCounts */
/** @typedef {{ readonly level: "well" | "warn" | "note", readonly what: string, readonly text: string }} Line */

/** Types that come with each connection that a client opens, of which there may be thousands a second. */
export const busyTypes = ["dial", "tunnel-closed"];

/**
 * The types that a program can be asked for.
 * @param {string} program
 * @returns {readonly string[]}
 */
export function typesOf(program) {
  return program === "proxy-server"
    ? ["agent-connected", "agent-disconnected", "dial", "tunnel-closed", "readiness"]
    : ["link-opened", "link-closed", "link-failed", "dial", "tunnel-closed", "readiness"];
}

/** @param {ByteCounts} both */
const carried = ({ sent, received }) => `${bytes(sent)} sent, ${bytes(received)} received`;
/** @param {string | undefined} message */
const because = (message) => message === undefined || message === "" ? "" : `: ${message}`;

/**
 * @param {ServerEvent | AgentEvent} event
 * @returns {Line | undefined} undefined: it is none for people, or of a version that this page does not know
 */
export function eventLine(event) {
  switch (event.type) {
    case "agent-connected":
      return { level: "well", what: "agent connected", text: `${event.agent} from ${event.address} (${event.link})` };
    case "agent-disconnected":
      return {
        level: event.reason === "failed" || event.tunnels > 0 ? "warn" : "note",
        what: "agent gone",
        text:
          `${event.agent}, ${event.reason} after ${duration(event.seconds)}, with ${counted(event.tunnels, "tunnel")}` +
          because(event.message),
      };
    case "link-opened":
      return { level: "well", what: "link opened", text: `to ${event.server} at ${event.address} (${event.link})` };
    case "link-closed":
      return {
        level: event.reason === "lost" ? "warn" : "note",
        what: "link closed",
        text: `to ${event.server} at ${event.address}, ${event.reason} after ${duration(event.seconds)}` +
          because(event.message),
      };
    case "link-failed":
      return { level: "warn", what: "link failed", text: `to ${event.address}${because(event.message)}` };
    case "dial": {
      const by = "client" in event ? ` for ${event.client.name}` : "";
      const through = "client" in event
        ? (event.agent === undefined ? "" : ` through ${event.agent}`)
        : ` for ${event.server}`;
      return event.outcome === "ok"
        ? {
          level: "well",
          what: "tunnel opened",
          text: `to ${event.destination}${by}${through} in ${milliseconds(event.ms)}`,
        }
        : {
          level: "warn",
          what: "dial failed",
          text: `to ${event.destination}${by}${through}: ${event.reason ?? "failed"}${because(event.message)}`,
        };
    }
    case "tunnel-closed":
      return {
        level: event.reason === "closed" ? "note" : "warn",
        what: "tunnel closed",
        text: `to ${event.destination}, ${event.reason} by the ${event.initiator} after ${duration(event.seconds)}, ` +
          carried(event.bytes),
      };
    case "readiness":
      return event.ready
        ? { level: "well", what: "ready", text: "" }
        : { level: "warn", what: "not ready", text: event.notReady ?? "" };
    case "lost":
      return {
        level: "note",
        what: "not shown",
        text: `${counted(event.count, "event")} came faster than this page took them`,
      };
    default:
      return undefined;
  }
}
