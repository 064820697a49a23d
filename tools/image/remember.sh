#!/bin/sh
# Fills a folder for DENO_DIR with what the runtime has to know of the programs, and of what is asked for their permissions,
# before it runs them, so that no container is the first to find it out: that takes 54 MiB at a start instead of 27. For
# Containerfile and its test.
#   usage: remember.sh DIST CACHE
#     DIST    folder of the bundles, where the image has it: what is remembered goes by the path
#     CACHE   folder to fill
set -eu
dist=$1 cache=$2
mkdir -p "$cache"
# Twice: what only one process had open can be read by no other where nothing can be written (Deno 2.9.6).
for _ in first second; do
  for command in "server.js permissions --help" "agent.js permissions --help" "test.js permissions --help" \
    "permissions.js permissions --help" "konnectivity.js version" kubeconfig.js page.js; do
    # shellcheck disable=SC2086 -- an entry and its arguments
    DENO_DIR=$cache "${DENO:-deno}" run --quiet --no-config --allow-read --allow-env "$dist"/$command >/dev/null
  done
done
# What the engine has compiled is of use on one architecture, and under one set of its flags.
rm -f "$cache"/v8_code_cache*
