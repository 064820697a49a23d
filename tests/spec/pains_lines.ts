import { numbered, type SpecLine } from "./spec_line.ts";

/** Past bugs of the original that its users met. */
export const painsLines: readonly SpecLine[] = numbered("pains a-", [
  // Dials that hold up others.
  "a slow dial holds up nothing else on its link",
  "an agent that never answers a dial costs the client the dial timeout and nobody else anything",
  "many failing dials leave the link working",
  // Races of cancelling and dialling.
  "a client that gives up while the answer is on its way leaves nothing",
  "DIAL_CLS behind an established tunnel closes it",
  // Handlers of CONNECT.
  "a dial that fails ends the CONNECT request and leaves nothing",
  "an agent that is lost while it dials ends the request",
  // Ends without a word.
  "a close that is never answered ends all the same",
  "a transport that ends during a dial leaves nothing",
  "a client that goes while its dial is under way leaves nothing at server or agent",
  "a server that is started anew leaves no client hanging",
  // Identities.
  "agents with equal connection ids do not meet",
  "of two streams of one agent id only the dying one's tunnels end",
  // One side gone.
  "an agent that is gone closes its clients' connections at once",
  "a client that is gone closes its connection to the destination",
  // Closing twice.
  "closing twice, or writing to what is closed, ends nothing else",
  // Drain and shutdown.
  "DRAIN does not wait for a packet to come in",
  "a server that is stopped without a grace ends at once",
  // Connecting.
  "syncing for ever does not connect all the time",
  "a server count that changes during a rollout is noticed",
  "duplicates do not slow down finding the others",
  "the larger of two server counts can be asked for",
  // Strategies.
  "destHost with odd hosts and identifiers does not fail",
  "destHost spreads over all owners of a host",
  "agents for certain hosts are asked for others only where the list of strategies says so",
  // Clients.
  "a second dial on a stream is refused and harms nothing",
  "clients that break off a long answer leave nothing",
  "an idle tunnel stays open and works afterwards",
  // Slow readers.
  "a CONNECT client that does not read leaves its neighbours alone",
  "a large copy through a slow reader arrives whole",
  // Certificates.
  "a malformed certificate in a CA bundle is refused with the file's name",
]);
