/**
 * Where the sending half of a channel stands: `open` takes data; `finishing` holds data and the packet behind it;
 * `finished` has sent that packet; `dropped` sends nothing more.
 */
export type SendState = "open" | "finishing" | "finished" | "dropped";

/**
 * Where its receiving half stands: `open`; `ending`: the peer has ended its direction, and its last bytes wait here;
 * `ended`: the reader knows. What the peer still sends then is ignored. `over`: nobody takes anything, and what still comes
 * counts as taken.
 */
export type ReceiveState = "open" | "ending" | "ended" | "over";

/**
 * Where a tunnel stands, as a client, a server and an agent have it:
 * - `dialing`: the destination is being connected to
 * - `open`: bytes flow both ways
 * - `client-done`: the client sends no more, and the other side was notified; the destination may still answer
 * - `destination-done`: the destination sends no more, and the client was notified; it may still send. The agent alone
 *   keeps it, since it answers the client's end then with its own
 * - `closing`: at a client and a server, the end was asked for, and bytes that the agent sent before it are still delivered;
 *   at an agent, the tunnel is over, and bytes that were accepted before are still on their way out, each way
 * - `closed`: nothing of it is left
 */
export type TunnelState = "dialing" | "open" | "client-done" | "destination-done" | "closing" | "closed";

/** What happens to it. */
export type TunnelEvent =
  | "dialed"
  | "dial-failed"
  | "client-ended" // The client ended its direction (half-close).
  | "client-closed" // It closed both directions, or gave its dial up.
  | "link-lost" // The link is gone, and with it everyone at its other end.
  | "agent-closed" // At a client and a server. All that follow are at an agent alone.
  | "destination-ended" // On a link with half-close the destination ended its direction.
  | "destination-closed" // The same on a link without half-close: both end.
  | "broken" // The connection to the destination is gone.
  | "refused"; // The agent ends the tunnel: the destination does not read, or the peer broke a rule.

type Row = Partial<Readonly<Record<TunnelEvent, TunnelState>>>;

const brokenOff: Row = { "link-lost": "closed", "agent-closed": "closed", broken: "closed", refused: "closed" };

const transitions: Readonly<Record<TunnelState, Row>> = {
  dialing: { dialed: "open", "dial-failed": "closed", "client-closed": "closed", "link-lost": "closed" },
  open: {
    "client-ended": "client-done",
    "destination-ended": "destination-done",
    "client-closed": "closing",
    "destination-closed": "closing",
    ...brokenOff,
  },
  "client-done": {
    "destination-ended": "closing",
    "destination-closed": "closing",
    "client-closed": "closing",
    ...brokenOff,
  },
  "destination-done": { "client-ended": "closing", "client-closed": "closing", ...brokenOff },
  closing: { "link-lost": "closed", "agent-closed": "closed", broken: "closed" },
  closed: {},
};

/** The state that an event leads to; undefined when the event means nothing in this state and must be ignored. */
export function nextState(state: TunnelState, event: TunnelEvent): TunnelState | undefined {
  return transitions[state][event];
}

/** Bytes may flow, at least one way. */
export function isRunning(state: TunnelState): boolean {
  return state === "open" || state === "client-done" || state === "destination-done";
}
