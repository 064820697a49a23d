import { createPrivateKey, X509Certificate } from "node:crypto";
import { Certificate, certificatesIn } from "../../../../src/runtime/tls/certificate.ts";
import { certificateNames } from "../../../../src/runtime/tls/certificate_names.ts";
import { chainFault, leafFault } from "../../../../src/runtime/tls/certificate_chain.ts";
import { DerError } from "../../../../src/runtime/tls/der.ts";
import {
  certificateBlocks,
  certificatesFault,
  clientFault,
  keyFault,
  privateKeyBlock,
} from "../../../../src/runtime/tls/pem.ts";
import type { FuzzTarget } from "../target.ts";
import { attempt, holds, latin1Of, textOf } from "./texts.ts";

/** A certificate of 2026 to 2126 for agent.example, 10.0.0.1 and a URI, by itself. */
const pem = `-----BEGIN CERTIFICATE-----
MIIB0DCCAYKgAwIBAgIUPY86tAmvI2hilHQK2HC0Gta6wS0wBQYDK2VwMCgxDjAM
BgNVBAoMBWdyb3VwMRYwFAYDVQQDDA1hZ2VudC5leGFtcGxlMCAXDTI2MTIwMTAx
MzY0OFoYDzIxMjYxMTA3MDEzNjQ4WjAoMQ4wDAYDVQQKDAVncm91cDEWMBQGA1UE
AwwNYWdlbnQuZXhhbXBsZTAqMAUGAytlcAMhANBKsjJ0K7SrOhNovUYV5ObQIkq3
GgFrr4UgozLJd4c3o4G7MIG4MB0GA1UdDgQWBBTVjq38XPNbGMDv3e2CrSDuWmSF
pDAfBgNVHSMEGDAWgBTVjq38XPNbGMDv3e2CrSDuWmSFpDA2BgNVHREELzAtgg1h
Z2VudC5leGFtcGxlhwQKAAABhhZzcGlmZmU6Ly9jbHVzdGVyL2FnZW50MBIGA1Ud
EwEB/wQIMAYBAf8CAQEwCwYDVR0PBAQDAgKEMB0GA1UdJQQWMBQGCCsGAQUFBwMC
BggrBgEFBQcDATAFBgMrZXADQQBKoGkOGKiGQJxznMNXDAWJxzJFU+Rfv40G1cZZ
a0rOd6DmwP1g12K/3Pd1lMxoZkYc2rrwJ9dQ45c+zOjidAEI
-----END CERTIFICATE-----
`;
/** Of Ed25519, from 32 equal bytes: it is nobody's secret. */
const key = `-----BEGIN PRIVATE KEY-----
${Uint8Array.fromHex(`302e020100300506032b657004220420${"11".repeat(32)}`).toBase64()}
-----END PRIVATE KEY-----
`;
/** Of leaf.example, by the one above. */
const leafPem = `-----BEGIN CERTIFICATE-----
MIIBkzCCAUWgAwIBAgIBBzAFBgMrZXAwKDEOMAwGA1UECgwFZ3JvdXAxFjAUBgNV
BAMMDWFnZW50LmV4YW1wbGUwIBcNMjYxMjAxMDIzNjUwWhgPMjEyNjExMDcwMjM2
NTBaMCcxDjAMBgNVBAoMBWdyb3VwMRUwEwYDVQQDDAxsZWFmLmV4YW1wbGUwKjAF
BgMrZXADIQCgmqX0emdZgC/5VfjcLSoUpcmdI76X+GQSf/k4NFWk8KOBkjCBjzAd
BgNVHREEFjAUggxsZWFmLmV4YW1wbGWHBAoAAAIwCwYDVR0PBAQDAgeAMBMGA1Ud
JQQMMAoGCCsGAQUFBwMCMAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFAj+BHo/JI+W
+hqCHTkfvbTIih1OMB8GA1UdIwQYMBaAFNWOrfxc81sYwO/d7YKtIO5aZIWkMAUG
AytlcANBAOSowvxiRmSHMTiJTNXIY1J/fkvXrijHu91tois4ogeXsxpJPOhZ0R5i
UK5wHIwNlr13kWaeRt2hDxb3+EPW2gc=
-----END CERTIFICATE-----
`;
const authority = new Certificate(pem);
const leaf = new Certificate(leafPem);
const how = { purpose: "client", now: Date.UTC(2030, 0) } as const;

/** Certificates as a peer may present them. */
export const certificates: FuzzTarget = {
  name: "certificates",
  modules: ["src/runtime/tls/"],
  seeds: [authority.der, leaf.der],
  dictionary: ["551d11", "551d13", "551d0f", "551d25", "550403", "55040a", "2a8648ce3d040302"].map((hex) =>
    Uint8Array.fromHex(hex)
  ),
  maxBytes: 900,
  maxWork: (length) => 100_000 + 4000 * length,
  run(input) {
    const certificate = attempt(() => new Certificate(input), DerError);
    attempt(() => certificateNames(input), DerError);
    if (certificate instanceof Error) return;
    const { validFrom, validTo, version, pathLength } = certificate;
    holds(Number.isFinite(validFrom) && Number.isFinite(validTo), () => `valid from ${validFrom} to ${validTo}`);
    holds(version >= 1 && version <= 256, () => `version ${version}`);
    holds(pathLength >= 0, () => `path length ${pathLength}`);
    const formFault = attempt(() => certificate.formFault, DerError);
    // What no fault is found in, the runtime's own reading finds none in either.
    if (formFault === undefined) new X509Certificate(certificate.x509.toString());
    const untrusted = attempt(
      () => leafFault(certificate, "client", how.now) ?? chainFault(certificate, [leaf], [authority], how),
      DerError,
    );
    const known = [authority, leaf].some((each) => each.equals(certificate));
    holds(known === (untrusted === undefined), () => known ? "what is trusted stays so" : "nothing else is trusted");
  },
};

/** PEM text of files, with its certificates and keys. */
export const pemTexts: FuzzTarget = {
  name: "pem",
  modules: ["src/runtime/tls/pem.ts", "src/runtime/tls/certificate.ts"],
  seeds: [pem, key, `text\r\n${pem.replaceAll("\n", "\r\n")}\r\n${key}\n\n`, pem.slice(0, 200) + key],
  dictionary: [
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "ENCRYPTED ",
  ],
  maxBytes: 1500,
  largeBytes: 256 * 1024,
  run(input) {
    const text = textOf(input);
    for (const each of certificateBlocks(text)) {
      holds(certificateBlocks(each)[0] === each, () => "a block is read again");
    }
    const fault = certificatesFault(text);
    if (fault === undefined) holds(keyFault(text, text) !== "", () => "a fault has a text");
    clientFault({ ca: text, cert: text, key: text });
    for (const each of certificatesIn(text)) holds(each.der.length > 0, () => "a certificate has bytes");
    const own = privateKeyBlock(text);
    if (own !== undefined && fault === undefined && keyFault(text, text) === undefined) createPrivateKey(own);
    holds(latin1Of(input).includes("BEGIN") || fault !== undefined, () => "nothing is no certificate");
  },
};
