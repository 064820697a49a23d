/**
 * Where the agent's connection to a destination stands:
 * - `dialing`: the destination is being connected to
 * - `open`: bytes flow both ways
 * - `client-done`: the client sends no more, and the destination was notified; it may still answer
 * - `destination-done`: the destination sends no more, and the client was notified; it may still send
 * - `closing`: the tunnel is over; bytes that were accepted before are still on their way out, each way
 * - `closed`: nothing of it is left
 */
export type EndpointState = "dialing" | "open" | "client-done" | "destination-done" | "closing" | "closed";

/**
 * What happens to it:
 * - `dialed`, `dial-failed`: the outcome of the dial
 * - `client-ended`: the client ended its direction (half-close)
 * - `client-closed`: the client closed both directions, or gave its dial up
 * - `destination-ended`: the destination ended its direction, on a link with half-close
 * - `destination-closed`: the same, on a link without half-close: both end
 * - `broken`: the connection to the destination is gone
 * - `refused`: this side ends it, because the destination does not read or the peer broke a rule
 * - `link-lost`: the link is gone, and with it everyone who could send more or be notified
 */
export type EndpointEvent =
  | "dialed"
  | "dial-failed"
  | "client-ended"
  | "client-closed"
  | "destination-ended"
  | "destination-closed"
  | "broken"
  | "refused"
  | "link-lost";

type Row = Partial<Readonly<Record<EndpointEvent, EndpointState>>>;

const brokenOff: Row = { broken: "closed", refused: "closed", "link-lost": "closed" };

const transitions: Readonly<Record<EndpointState, Row>> = {
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
  // A lost link changes nothing: what the client had handed over before its close still reaches the destination.
  closing: { broken: "closed" },
  closed: {},
};

/** The state that an event leads to; undefined when the event means nothing in this state and must be ignored. */
export function nextEndpointState(state: EndpointState, event: EndpointEvent): EndpointState | undefined {
  return transitions[state][event];
}
