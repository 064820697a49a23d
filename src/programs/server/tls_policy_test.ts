import assert from "node:assert/strict";
import { getCiphers } from "node:tls";
import { cipherSuiteFault, tlsPolicy, tlsVersionFault, tlsWarnings, unavailableSuitesFault } from "./tls_policy.ts";

const secureTls12 = ["ECDSA", "RSA"].flatMap((signature) =>
  ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"]
    .map((suite) => `TLS_ECDHE_${signature}_WITH_${suite}`)
);

Deno.test("[server 13.3-2] TLS versions are Go's; the floor is 1.2", () => {
  for (const version of ["", "VersionTLS10", "VersionTLS11", "VersionTLS12"]) {
    assert.equal(tlsVersionFault(version), undefined);
    assert.equal(tlsPolicy(version, []).minVersion, "TLSv1.2");
  }
  assert.equal(tlsPolicy("VersionTLS13", []).minVersion, "TLSv1.3");
  assert.match(tlsVersionFault("VersionTLS99") ?? "", /^unsupported TLS version "VersionTLS99"/);
  assert.match(tlsVersionFault("toString") ?? "", /^unsupported TLS version/);
});

Deno.test("cipher suites that Go calls secure are known, others are not", () => {
  const cbc = ["ECDSA", "RSA"].flatMap((s) => ["128", "256"].map((bits) => `TLS_ECDHE_${s}_WITH_AES_${bits}_CBC_SHA`));
  const tls13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
  assert.equal(cipherSuiteFault([...secureTls12, ...cbc, ...tls13]), undefined);
  for (
    const name of [
      "TLS_RSA_WITH_AES_128_GCM_SHA256",
      "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
      "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
      "tls_aes_128_gcm_sha256",
      "",
    ]
  ) {
    assert.equal(
      cipherSuiteFault(["TLS_AES_128_GCM_SHA256", name]),
      `cipher suite ${name} not supported, doesn't exist or considered as insecure`,
    );
  }
  for (const name of cbc) {
    assert.match(unavailableSuitesFault("", [name]) ?? "", /use TLS_ECDHE_.*_GCM_SHA(256|384) instead of TLS_ECDHE_/);
  }
});

Deno.test("a suite with CBC among others is left out with a warning, and refused only where nothing else is left", () => {
  const cbc = ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"];
  const [usable = ""] = secureTls12;
  assert.equal(unavailableSuitesFault("", [...cbc, usable]), undefined);
  assert.deepEqual(tlsPolicy("", [...cbc, usable]).tls12Suites?.map(({ name }) => name), [usable]);
  assert.match(tlsWarnings("", [...cbc, usable]).join(), new RegExp(`${cbc.join(", ")} cannot be used`));
  assert.equal(unavailableSuitesFault("", secureTls12), undefined);
  assert.equal(unavailableSuitesFault("", []), undefined);
  assert.match(unavailableSuitesFault("VersionTLS12", cbc) ?? "", /^no suite of --cipher-suites is available/);
  // Only suites of TLS 1.3 are left beside them: TLS 1.2 is refused, and both is said.
  assert.equal(unavailableSuitesFault("", [...cbc, "TLS_AES_128_GCM_SHA256"]), undefined);
  assert.equal(tlsWarnings("", [...cbc, "TLS_AES_128_GCM_SHA256"]).length, 2);
  // The list says nothing of TLS 1.3, as in the original.
  assert.equal(unavailableSuitesFault("VersionTLS13", cbc), undefined);
});

Deno.test("the suites of the policy are those that the runtime has", () => {
  const runtime = new Set(getCiphers());
  const { tls12Suites = [] } = tlsPolicy("", secureTls12);
  assert.equal(tls12Suites.length, secureTls12.length);
  for (const { opensslName } of tls12Suites) assert.ok(runtime.has(opensslName.toLowerCase()), opensslName);
});

Deno.test("suites of TLS 1.3 alone leave none for 1.2, which is warned of", () => {
  const names = ["TLS_AES_128_GCM_SHA256"];
  assert.deepEqual(tlsPolicy("", names).tls12Suites, []);
  assert.equal(tlsPolicy("", []).tls12Suites, undefined);
  assert.match(tlsWarnings("", names).join(), /only suites of TLS 1.3/);
  assert.deepEqual(tlsWarnings("VersionTLS13", names), []);
  assert.deepEqual(tlsWarnings("", [...names, ...secureTls12]), []);
});
