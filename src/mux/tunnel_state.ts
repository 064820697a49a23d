/**
 * The state of a tunnel, as a server and a client have it:
 * - `dialing`: the agent was asked to connect
 * - `open`: bytes flow
 * - `closing`: the client asked for the end; bytes that the agent sent before it are still delivered
 * - `closed`: nothing of it is left
 */
export type TunnelState = "dialing" | "open" | "closing" | "closed";

/**
 * What happens to a tunnel:
 * - `dialed`, `dial-failed`: the agent's answer
 * - `client-closed`: the client gave up or closed
 * - `agent-closed`: the agent closed
 * - `link-lost`: the link to the agent is gone
 */
export type TunnelEvent = "dialed" | "dial-failed" | "client-closed" | "agent-closed" | "link-lost";

const transitions: Readonly<Record<TunnelState, Partial<Readonly<Record<TunnelEvent, TunnelState>>>>> = {
  dialing: { dialed: "open", "dial-failed": "closed", "client-closed": "closed", "link-lost": "closed" },
  open: { "client-closed": "closing", "agent-closed": "closed", "link-lost": "closed" },
  closing: { "agent-closed": "closed", "link-lost": "closed" },
  closed: {},
};

/** The state that an event leads to; undefined when the event means nothing in this state and must be ignored. */
export function nextState(state: TunnelState, event: TunnelEvent): TunnelState | undefined {
  return transitions[state][event];
}
