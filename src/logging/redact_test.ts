import assert from "node:assert/strict";
import { redact, redactProperty } from "./redact.ts";

const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzYSJ9.c2lnbmF0dXJl";

Deno.test("credentials in a line are hidden in every form that they come in", () => {
  const cases: readonly (readonly [string, string])[] = [
    [`sent Bearer ${token}`, "sent Bearer [redacted]"],
    ["sent bearer abc.def~+/==", "sent bearer [redacted]"],
    [`authorization: Bearer ${token}`, "authorization: [redacted]"],
    ["Authorization=Basic dXNlcjpwYXNz", "Authorization=[redacted]"],
    ["map[authorization:[Bearer s3cret] agentid:[a]]", "map[authorization:[[redacted]] agentid:[a]]"],
    [`{"authorization":"Bearer ${token}","a":1}`, '{"authorization":"[redacted]","a":1}'],
    [`"{\\"authorization\\":\\"Bearer ${token}\\"}"`, '"{\\"authorization\\":\\"[redacted]\\"}"'],
    [`token ${token} refused`, "token [redacted] refused"],
    ["-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----", "[redacted]"],
    ['{"key":"-----BEGIN PRIVATE KEY-----\\nMHcC"}', '{"key":"[redacted]"}'],
  ];
  for (const [line, expected] of cases) assert.equal(redact(line), expected);
});

Deno.test("sentences about credentials stay readable", () => {
  for (
    const line of [
      "the bearer token is missing",
      "bearer authentication is on",
      "no authorization header",
      "token file /var/run/token is empty",
    ]
  ) assert.equal(redact(line), line);
});

Deno.test("a property named after a secret loses its value, one named after its file keeps it", () => {
  for (const name of ["authorization", "token", "bearerToken", "client-secret", "userPassword"]) {
    assert.equal(redactProperty(name, "x"), "[redacted]");
  }
  for (const name of ["serviceAccountTokenPath", "tokenFile", "address"]) assert.equal(redactProperty(name, "x"), "x");
  assert.equal(redactProperty("requireAgentCertAndToken", true), true, "a flag is no secret");
});
