/**
 * What a peer that has not proved anything, and each connection, may take of a listener: time, bytes and work. Each bound
 * has a hostile test. No bound here may be reached by one kube-apiserver with 10,000 tunnels that dials 3,000 at once, or
 * by 10,000 agents that share one certificate, one service account or one address.
 */
export const edgeLimits = {
  // ---- time until a connection has to have begun ----

  /**
   * A TLS handshake, from the accepted connection on. A handshake takes about 2 ms of processor time, so that several
   * thousand agents that come back at once still get theirs.
   */
  handshakeTimeoutMs: 15_000,
  /** From the handshake, or the accepted connection where there is none, to the SETTINGS frame that begins HTTP/2. */
  http2BeginTimeoutMs: 10_000,
  /** From the handshake of a direct link to the peer's hello. */
  linkHelloTimeoutMs: 10_000,
  /** The whole head of an HTTP/1.1 request, also where a client sends it byte by byte. */
  requestHeadTimeoutMs: 10_000,

  /**
   * An HTTP/2 connection without a stream, where no certificate is demanded and no call of it was accepted. gRPC clients
   * make another one when they need it.
   */
  idleStrangerMs: 60_000,
  /** A health or admin connection between two requests; scrapers and probes come more often, or open another one. */
  idleRequestConnectionMs: 120_000,

  // ---- calls of one connection, and of all of a listener ----

  /** A call with one small request, such as a health check, from its headers to the request's last byte. */
  requestMessageTimeoutMs: 10_000,
  /** Such calls of one connection that are open at once, watches among them; a probe has one. */
  messageCallsOfConnection: 16,
  /**
   * Requests that are with Connect's router at once, of one connection and of a listener: each costs two streams of
   * node:http2 and up to a window of bytes. Peers that speak gRPC never get there.
   */
  routedCallsOfConnection: 16,
  routedCalls: 64,
  /** Refused requests of one connection whose bodies are read and dropped, for 10 s at most; others are reset at once. */
  refusedCallsOfConnection: 16,
  /** Links of agents that one connection carries; every known agent opens a connection for each. */
  linksOfConnection: 16,

  /**
   * What a request costs of a connection's flood protection (`h2/limits.ts`) under `--http2=runtime`, unless it is accepted
   * as a packet stream: two hundred at once and ten a second. Each takes milliseconds there.
   */
  runtimeRequestCost: 50,

  // ---- answers that are not read ----

  /**
   * Bytes that wait for one HTTP/2 connection beyond which it is not read until they have gone. DATA stops far below;
   * what comes on top are answers.
   */
  unsentBytes: 1024 * 1024,
  /** How long such a connection may take none of them. */
  unsentTimeoutMs: 10_000,
  /** Bytes that are read and dropped of an HTTP/2 connection or a direct link that this side has closed. */
  closedBytes: 1024 * 1024,

  // ---- HTTP CONNECT ----

  /** Head of an HTTP/1.1 request, in bytes; a longer one is answered with 431. A CONNECT needs hundreds. */
  requestHeadBytes: 64 * 1024,
  /** How long a refused client may keep its connection open to read the answer. */
  refusedLingerMs: 5_000,
  /** Bytes of a refused client that are read and dropped meanwhile, such as the body of its request. */
  refusedBytes: 64 * 1024,
} as const;
