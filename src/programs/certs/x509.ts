/**
 * The library for X.509 as one module, which `deno task build` leaves beside the bundle: only the programs that make
 * certificates hold its text in memory.
 * @module
 */
import "reflect-metadata";
export * from "@peculiar/x509";
