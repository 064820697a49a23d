/**
 * Flags of the engine that all programs run with (ARCHITECTURE.md, "Packets"); `tools/launch.sh` has the
 * same. Code that the engine has compiled under one set of flags is of no use under another.
 */
export const engineFlags =
  "--v8-flags=--expose-gc,--no-concurrent-array-buffer-sweeping,--heap-growing-percent=300,--initial-old-space-size=32";

/** With less memory than this, in bytes, the launchers start programs with {@link frugalEngineFlags}. */
export const frugalBelowBytes = 256 * 1024 * 1024;

/** The engine collects as often as it would by itself, and in the one thread whose memory is counted. */
export const frugalEngineFlags = "--v8-flags=--expose-gc,--single-threaded-gc,--max-semi-space-size=2";
