import type { Http2Session } from "node:http2";

/**
 * Makes a session of node:http2 end only after the runtime has returned from what it is doing.
 *
 * A GOAWAY is reported from within the runtime's parser, and its own handler closes or destroys the session on the spot,
 * which frees what the parser still works on: the process ends with a failed assertion of nghttp2
 * (`find_stream_on_goaway_func`) or a segmentation fault. Any peer can cause that, a well-behaved one included. Call it
 * on each session before anything else.
 */
export function endLater(session: Http2Session): void {
  const close = session.close.bind(session);
  const destroy = session.destroy.bind(session);
  session.close = (onClosed) => void setImmediate(() => close(onClosed));
  session.destroy = (error, code) => void setImmediate(() => destroy(error, code));
}
