import type { Step } from "./openssl_client.ts";

/** A port of a server that speaks TLS. */
export type TlsPort = "clients, gRPC" | "clients, HTTP CONNECT" | "agents";

/** The files that a row's arguments name. */
export interface RowFiles {
  /** Arguments that show a certificate that the port takes. */
  readonly known: readonly string[];
  /** The same of another CA. */
  readonly stranger: readonly string[];
  /** Where a session is written, and read by the next row. */
  readonly session: string;
  /** A request, as early data. */
  readonly request: string;
  /** An echo, host:port. */
  readonly echo: string;
}

/** What openssl does at a port, and what has to be seen of it. */
export interface Row {
  readonly what: string;
  /** The sentence that the row shows. */
  readonly promise: string;
  readonly args: (files: RowFiles) => readonly string[];
  readonly steps?: (files: RowFiles) => readonly Step[];
  /** What its output has to show, at all ports or at each. */
  readonly shows: readonly RegExp[] | Readonly<Record<TlsPort, readonly RegExp[]>>;
  /** What its output must not show. */
  readonly never?: RegExp;
  /** The ports at which it is tried, where that is not every one. */
  readonly ports?: readonly TlsPort[];
}

const handshaken = /^SSL handshake has read/m;
/** A version was agreed upon. */
const agreed = /^New, TLSv1/m;
const tls13 = [handshaken, /^New, TLSv1\.3, /m];
const tls12 = [handshaken, /^New, TLSv1\.2, Cipher is ECDHE-/m];
const alert = (number: number) => new RegExp(`SSL alert number ${number}$`, "m");
const handshakeFailure = alert(40);
const eof = /unexpected eof while reading|errno=104|^closed$/m;
/** Over HTTP/2 and on a direct link the connection ends; HTTP says why. */
const garbage = { "clients, gRPC": [eof], "clients, HTTP CONNECT": [/HTTP\/1\.1 400 /], agents: [eof] } as const;

/** Each is tried at each port; the neighbour of each port notices none of them. */
export const rows: readonly Row[] = [
  {
    what: "TLS 1.3",
    promise: "it is spoken, with nothing compressed",
    args: ({ known }) => known,
    shows: [...tls13, /^Compression: NONE$/m],
  },
  {
    what: "TLS 1.2, with every suite that openssl has",
    promise: "a suite with forward secrecy is chosen",
    args: ({ known }) => [...known, "-tls1_2", "-comp", "-cipher", "ALL:@SECLEVEL=0"],
    shows: [...tls12, /^Compression: NONE$/m],
  },
  {
    what: "TLS 1.1",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
    shows: [/SSL alert number (40|70)$/m],
    never: agreed,
  },
  {
    what: "TLS 1.0",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-tls1", "-cipher", "ALL:@SECLEVEL=0"],
    shows: [/SSL alert number (40|70)$/m],
    never: agreed,
  },
  {
    what: "suites of TLS 1.2 without forward secrecy",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384:@SECLEVEL=0"],
    shows: [handshakeFailure],
  },
  {
    what: "a suite of TLS 1.3 that few have",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"],
    shows: [handshakeFailure],
  },
  {
    what: "a group that few have",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-groups", "X448"],
    shows: [handshakeFailure],
  },
  {
    what: "a first guess at the group that is wrong",
    promise: "asked for again",
    args: ({ known }) => [...known, "-groups", "P-521:P-256"],
    shows: [...tls13, /^Server Temp Key: ECDH, prime256v1/m],
  },
  {
    what: "small fragments (max_fragment_length)",
    promise: "a handshake all the same",
    args: ({ known }) => [...known, "-maxfraglen", "512"],
    shows: tls13,
  },
  {
    what: "renegotiation, of TLS 1.2",
    promise: "refused; the connection ends",
    args: ({ known }) => [...known, "-tls1_2", "-alpn", "h2,http/1.1"],
    steps: () => [{ after: /Extended master secret/, write: "R\n" }],
    shows: [/RENEGOTIATING/, /no renegotiation/],
  },
  {
    what: "the next connection with the session of TLS 1.2, by a client that knows no other version",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-tls1_2", "-alpn", "h2,http/1.1", "-reconnect"],
    shows: [/drop connection and then reconnect/, handshakeFailure],
    never: /^Reused, /m,
  },
  {
    what: "a session of TLS 1.3 that is kept",
    promise: "a ticket comes; the next row shows that it is of no use",
    args: ({ known, session }) => [...known, "-alpn", "h2,http/1.1", "-sess_out", session],
    shows: [...tls13, /New Session Ticket arrived/],
  },
  {
    what: "that session, at the next connection",
    promise: "a full handshake",
    args: ({ known, session }) => [...known, "-sess_in", session],
    shows: [handshaken, /^New, TLSv1\.[23], /m],
    never: /^Reused, /m,
  },
  {
    what: "early data with that session",
    promise: "none is taken",
    args: ({ known, session, request }) => [...known, "-sess_in", session, "-early_data", request],
    shows: [handshaken, /^New, TLSv1\.[23], /m],
    never: /^Early data was accepted$|HTTP\/1\.1 /m,
  },
  {
    what: "ALPN h2",
    promise: "chosen where HTTP/2 is spoken, refused elsewhere",
    args: ({ known }) => [...known, "-alpn", "h2"],
    shows: {
      "clients, gRPC": [/^ALPN protocol: h2$/m],
      "clients, HTTP CONNECT": [alert(120)],
      agents: [/^ALPN protocol: h2$/m],
    },
  },
  {
    what: "ALPN of a protocol that there is not",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-alpn", "smtp"],
    shows: [alert(120)],
  },
  {
    what: "ALPN of 300 protocols, 62 kB",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-alpn", Array.from({ length: 300 }, (_, at) => `${at}`.padEnd(205, "x")).join()],
    shows: [alert(120)],
  },
  ...[
    ["no name", ["-noservername"]],
    ["a name of somebody else's", ["-servername", "nowhere.invalid"]],
    ["an address as a name", ["-servername", "127.0.0.1"]],
  ].map(([what, args]): Row => ({
    what: `SNI: ${what}`,
    promise: "the certificate is the same",
    args: ({ known }) => [...known, ...(args ?? [])],
    shows: [...tls13, /subject=CN = test server/],
  })),
  {
    what: "SNI: a name of 255 letters, longer than a name can be",
    promise: "refused in the handshake",
    args: ({ known }) => [...known, "-servername", "a".repeat(255)],
    shows: [alert(47)],
  },
  {
    what: "no certificate, TLS 1.3",
    promise: "refused with the alert that says so",
    args: () => [],
    shows: [alert(116)],
  },
  {
    what: "no certificate, TLS 1.2",
    promise: "refused with an alert that says so",
    args: () => ["-tls1_2"],
    shows: [alert(116)],
  },
  {
    what: "a certificate of another CA",
    promise: "the connection ends before anything is answered",
    args: ({ stranger }) => stranger,
    shows: [eof],
    never: /HTTP\/1\.1 /,
  },
  {
    what: "a line that is no protocol",
    promise: "the connection ends; HTTP says why",
    args: ({ known }) => [...known, "-quiet"],
    steps: () => [{ after: /verify return:1/, write: "garbage\r\n\r\n" }],
    shows: garbage,
  },
  {
    what: "zeros",
    promise: "the connection ends; HTTP says why",
    args: ({ known }) => [...known, "-quiet"],
    steps: () => [{ after: /verify return:1/, write: "\0".repeat(1000) }],
    shows: garbage,
  },
  {
    what: "keys that are changed within a tunnel, by either side",
    promise: "the tunnel goes on",
    ports: ["clients, HTTP CONNECT"],
    args: ({ known }) => [...known, "-tls1_3"],
    steps: ({ echo }) => [
      { after: handshaken, write: `CONNECT ${echo} HTTP/1.1\r\nHost: ${echo}\r\n\r\n` },
      { after: /HTTP\/1\.1 200 /, write: "k\n" },
      { after: /KEYUPDATE/, write: "hello one\n" },
      { after: /hello one/, write: "K\n" },
      { after: /KEYUPDATE[^]*KEYUPDATE/, write: "hello two\n" },
    ],
    shows: [/hello two/],
  },
];
