/**
 * Flags of the engine that all programs run with (ARCHITECTURE.md, "A packet's way"); `tools/launch.sh` has the
 * same. Code that the engine has compiled under one set of flags is of no use under another.
 */
export const engineFlags = "--v8-flags=--expose-gc,--heap-growing-percent=300,--initial-old-space-size=32";
