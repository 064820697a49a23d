/**
 * What section 8 of RFC 9113 asks of a server that gets a request, case by case, as conformance_test.ts has the rest.
 */
import assert from "node:assert/strict";
import { endsStream, isTaken } from "../../tests/support/memory/h2_cases.ts";
import { callHeaders, data, H2Peer, headers } from "../../tests/support/memory/h2_peer.ts";
import { h2Code } from "./frames/frame.ts";
import type { HeaderField } from "./hpack/header_table.ts";

function without(name: string): HeaderField[] {
  return callHeaders.filter(([key]) => key !== name);
}

const malformed: Record<string, readonly HeaderField[]> = {
  "8.2.1: a capital in a header's name": [...callHeaders, ["X-Test", "a"]],
  "8.2.1: a blank in a header's name": [...callHeaders, ["x test", "a"]],
  "8.2.1: an empty header name": [...callHeaders, ["", "a"]],
  "8.2.1: a line end in a value": [...callHeaders, ["x-test", "a\r\nb: c"]],
  "8.2.1: a NUL in a value": [...callHeaders, ["x-test", "a\0"]],
  "8.2.1: a blank around a value": [...callHeaders, ["x-test", " a"]],
  "8.2.2: a connection-specific header": [...callHeaders, ["connection", "keep-alive"]],
  "8.2.2: transfer-encoding": [...callHeaders, ["transfer-encoding", "chunked"]],
  "8.2.2: te other than trailers": [...without("te"), ["te", "trailers, deflate"]],
  "8.3: an unknown pseudo-header": [[":test", "a"], ...callHeaders],
  "8.3: a response's pseudo-header": [...callHeaders.slice(0, 4), [":status", "200"]],
  "8.3: a pseudo-header behind a header": [...callHeaders, [":path", "/"]],
  "8.3.1: no :method": without(":method"),
  "8.3.1: no :scheme": without(":scheme"),
  "8.3.1: no :path": without(":path"),
  "8.3.1: an empty :path": [...without(":path").slice(0, 2), [":path", ""], ...callHeaders.slice(3)],
  "8.3.1: :method twice": [[":method", "POST"], ...callHeaders],
  "8.1.1: a content-length that is none": [...callHeaders, ["content-length", "-1"]],
  "8.1.1: two content-lengths": [...callHeaders, ["content-length", "1"], ["content-length", "2"]],
};
for (const [title, fields] of Object.entries(malformed)) endsStream(title, h2Code.protocolError, headers(1, fields));

isTaken("8.3.1: no :authority", headers(1, without(":authority")));
endsStream("8.1: trailers that do not end the stream", h2Code.protocolError, headers(1), headers(1, [["a", "b"]]));
endsStream("8.1: a pseudo-header among trailers", h2Code.protocolError, headers(1), headers(1, [[":path", "/"]], true));
const announced: readonly HeaderField[] = [...callHeaders, ["content-length", "3"]];
endsStream("8.1.1: a body shorter than announced", h2Code.protocolError, headers(1, announced), data(1, "0000", true));
endsStream(
  "8.1.1: a body longer than announced",
  h2Code.protocolError,
  headers(1, announced),
  data(1, "0000"),
  data(1, "0000", true),
);
endsStream("8.1.1: no body where one was announced", h2Code.protocolError, headers(1, announced, true));
endsStream(
  "8.1.1: trailers before the announced body",
  h2Code.protocolError,
  headers(1, announced),
  headers(1, [["a", "b"]], true),
);
Deno.test("8.1.1: a body as long as announced is taken", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1, announced), data(1, "0000"), data(1, "00", true));
  assert.ok(peer.request().ended);
});
Deno.test("8.1: trailers end the request", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1), data(1, "00"), headers(1, [["a", "b"]], true));
  assert.ok(peer.request().ended);
});
