import assert from "node:assert/strict";
import fc from "fast-check";
import { type AgentIdentifiers, IdentifiersError, parseIdentifiers, parseQuery } from "./identifiers.ts";

const none: AgentIdentifiers = { ipv4: [], ipv6: [], host: [], cidr: [], defaultRoute: false };

function refused(query: string): void {
  assert.throws(
    () => parseIdentifiers(query),
    (error) => error instanceof IdentifiersError && error.code === "bad-identifiers",
    query,
  );
}

Deno.test("[server 13.1-1] a semicolon is an error", () => {
  refused(";");
  refused("ipv4=1.2.3.4;ipv6=::");
});

Deno.test("[server 13.1-2] an unknown key gives the empty set and no error", () => {
  assert.deepEqual(parseIdentifiers("invalid=1.2.3.4"), none);
});

Deno.test("[server 13.1-3..6] each kind of identifier is read", () => {
  assert.deepEqual(parseIdentifiers("ipv4=1.2.3.4"), { ...none, ipv4: ["1.2.3.4"] });
  assert.deepEqual(parseIdentifiers("ipv6=100::"), { ...none, ipv6: ["100::"] });
  assert.deepEqual(parseIdentifiers("host=node1.mydomain.com"), { ...none, host: ["node1.mydomain.com"] });
  assert.deepEqual(parseIdentifiers("cidr=127.0.0.1/16"), { ...none, cidr: ["127.0.0.1/16"] });
});

Deno.test("[server 13.1-7..9] default-route is on for true, off for false, off without an error for anything else", () => {
  assert.equal(parseIdentifiers("default-route=true").defaultRoute, true);
  assert.equal(parseIdentifiers("default-route=false").defaultRoute, false);
  assert.equal(parseIdentifiers("default-route=invalid").defaultRoute, false);
});

Deno.test("default-route is read as Go reads a bool", () => {
  for (const yes of ["1", "t", "T", "true", "True", "TRUE"]) {
    assert.equal(parseIdentifiers(`default-route=${yes}`).defaultRoute, true, yes);
  }
  for (const no of ["", "0", "f", "yes", "tRUE", " true"]) {
    assert.equal(parseIdentifiers(`default-route=${no}`).defaultRoute, false, no);
  }
});

Deno.test("[server 13.1-10] of several default-route values the first counts", () => {
  assert.equal(parseIdentifiers("default-route=true&default-route=false").defaultRoute, true);
  assert.equal(parseIdentifiers("default-route=false&default-route=true").defaultRoute, false);
  assert.equal(parseIdentifiers("default-route=what&default-route=true").defaultRoute, false);
});

Deno.test("[server 13.1-11] repeated identifiers are all kept, in order", () => {
  const query = "host=localhost&host=node1.mydomain.com&cidr=127.0.0.1/16&cidr=10.0.0.0/8" +
    "&ipv4=1.2.3.4&ipv4=5.6.7.8&ipv6=::&ipv6=100::&default-route=true";
  assert.deepEqual(parseIdentifiers(query), {
    host: ["localhost", "node1.mydomain.com"],
    cidr: ["127.0.0.1/16", "10.0.0.0/8"],
    ipv4: ["1.2.3.4", "5.6.7.8"],
    ipv6: ["::", "100::"],
    defaultRoute: true,
  });
});

Deno.test("[server 13.1-12] uid is ignored", () => {
  assert.deepEqual(parseIdentifiers("uid=value"), none);
});

Deno.test("an agent that sends nothing stands for nothing", () => {
  assert.deepEqual(parseIdentifiers(""), none);
  assert.deepEqual(parseIdentifiers("&&"), none);
  assert.deepEqual(parseIdentifiers("host"), { ...none, host: [""] });
});

Deno.test("keys that every object has are no identifiers", () => {
  assert.deepEqual(parseIdentifiers("__proto__=1&constructor=2"), none);
});

Deno.test("escapes are undone as Go undoes them", () => {
  assert.deepEqual(parseQuery("a+b=c%20d&e%3D=%C3%A4&=x"), [["a b", "c d"], ["e=", "ä"], ["", "x"]]);
  assert.deepEqual(parseQuery("a=%3b=b"), [["a", ";=b"]]);
  assert.deepEqual(parseQuery("&a=1&&b=2&"), [["a", "1"], ["b", "2"]], "nothing between two separators");
  assert.deepEqual(parseQuery("ä=%e4"), [["ä", "\ufffd"]], "bytes that are no UTF-8");
  assert.deepEqual(parseQuery("a=%EF%BB%BFb"), [["a", "\ufeffb"]], "a byte order mark is text");
});

Deno.test("a broken escape is an error", () => {
  for (const query of ["host=%", "host=%1", "host=%zz", "%g0=1", "host=a%%41", "host=%4", "host=% 1"]) refused(query);
});

Deno.test("any text is read or refused with the one error, and what URLSearchParams writes is read back", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (query) => {
    try {
      parseIdentifiers(query);
    } catch (error) {
      assert.ok(error instanceof IdentifiersError);
    }
  }));
  const pairs = fc.array(fc.tuple(fc.string(), fc.string({ unit: "grapheme" })));
  fc.assert(fc.property(pairs, (list) => {
    assert.deepEqual(parseQuery(new URLSearchParams(list).toString()), list);
  }));
});
