import { goTest } from "./go_peers.ts";
import { type Excused, judgesServer, own } from "./h2spec.ts";

/** The runtime's, which keeps to RFC 9113 where RFC 7540 was stricter, and has faults of its own. */
const runtime: Excused = {
  ...own,
  "http2/5.1/11": "RFC 9113, section 5.1: an endpoint that has forgotten a closed stream may ignore its frames",
  "http2/5.1/12": "RFC 9113, section 5.1: an endpoint that has forgotten a closed stream may ignore its frames",
  "http2/5.1.1/2": "a fault of the runtime (2.9.6): section 5.1.1 demands an error of the connection for a smaller id",
  "http2/5.3.1/2": "RFC 9113, section 5.3.2: priority signals are deprecated, and what they depend on is not looked at",
  "http2/6.3/1": "a fault of the runtime (2.9.6): section 6.3 demands PROTOCOL_ERROR; the frame does nothing",
  "http2/6.9.1/3": "section 6.9.1 demands the end of the stream alone; the runtime (2.9.6) ends the connection",
};

goTest(
  "h2spec finds no fault in the frontend's and the agents' port, --http2=runtime, but what is listed",
  (t) => judgesServer(t, "runtime", runtime),
);
