/*
 * RFC 9113, section 5.1, has one state for a stream; here each half has its own, because each ends by itself, and because
 * both distinguish more than the wire does: what waits for the owner, and what waits for the peer. A stream that is closed,
 * by a reset or with its connection, keeps the states that its halves had: they say how far each came.
 */

/**
 * The receiving half, from the peer to the owner:
 * - `paused`: the peer may send; its bytes are buffered until the owner starts or resumes delivery
 * - `flowing`: the peer may send; its bytes are delivered as they arrive
 * - `ended-paused`: the peer sent END_STREAM; the owner has not taken the buffered bytes, and delivery is paused
 * - `ended-flowing`: the same, while the buffered bytes are being delivered
 * - `delivered`: the owner has received all bytes and the end
 */
export type ReceivingState = "paused" | "flowing" | "ended-paused" | "ended-flowing" | "delivered";

/**
 * What happens to the receiving half:
 * - `paused`, `resumed`: the owner stops and restarts delivery
 * - `peer-ended`: END_STREAM arrived
 * - `end-delivered`: the owner learns of the end, behind the last byte
 */
export type ReceivingEvent = "paused" | "resumed" | "peer-ended" | "end-delivered";

/**
 * The sending half, from the owner to the peer:
 * - `open`: the owner may write
 * - `full`: the queue is above its high mark, and the owner waits for `onDrain`; what it writes is queued all the same
 * - `ending`: the owner has ended this side; queued bytes and the end are still to be sent
 * - `ending-full`: the same, and the owner still waits for `onDrain`
 * - `ended`: END_STREAM was handed to the connection
 */
export type SendingState = "open" | "full" | "ending" | "ending-full" | "ended";

/**
 * What happens to the sending half:
 * - `filled`, `drained`: the queue rose to its high mark, and fell to its low mark
 * - `owner-ended`: the owner ended this side
 * - `end-sent`: END_STREAM was handed to the connection, behind everything that was queued
 */
export type SendingEvent = "filled" | "drained" | "owner-ended" | "end-sent";

// Comparisons instead of a table, because bulk moves between `open` and `full` every few frames.

/** The state that an event leads to; undefined when the event means nothing in this state and must be ignored. */
export function nextReceivingState(state: ReceivingState, event: ReceivingEvent): ReceivingState | undefined {
  switch (event) {
    case "paused":
      if (state === "flowing") return "paused";
      return state === "ended-flowing" ? "ended-paused" : undefined;
    case "resumed":
      if (state === "paused") return "flowing";
      return state === "ended-paused" ? "ended-flowing" : undefined;
    case "peer-ended":
      if (state === "paused") return "ended-paused";
      return state === "flowing" ? "ended-flowing" : undefined;
    case "end-delivered":
      // An owner that has taken every byte learns of the end even while it is paused.
      return state === "ended-paused" || state === "ended-flowing" ? "delivered" : undefined;
  }
}

/** The state that an event leads to; undefined when the event means nothing in this state and must be ignored. */
export function nextSendingState(state: SendingState, event: SendingEvent): SendingState | undefined {
  switch (event) {
    case "filled":
      return state === "open" ? "full" : undefined;
    case "drained":
      if (state === "full") return "open";
      return state === "ending-full" ? "ending" : undefined;
    case "owner-ended":
      if (state === "open") return "ending";
      return state === "full" ? "ending-full" : undefined;
    case "end-sent":
      return state === "ending" || state === "ending-full" ? "ended" : undefined;
  }
}
