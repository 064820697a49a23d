#!/bin/sh
# Runs a program from source: launch.sh PROGRAM [flags]. The tasks use it; `deno task build` makes bin/* of it.
here=$(dirname -- "$(readlink -f -- "$0")")
entry=$here/../main.ts
config=
program=$1
built_with=
shift
# --- what follows is the same in every launcher
#
# The program gets exactly the permissions of its command line, and takes this shell's place: signals reach it and
# nobody else, its exit code is the launcher's, and nothing is left behind when it is killed.
set -f
newline='
'

is_binary() {
  [ -f "$1" ] && [ -x "$1" ] && [ "$(head -c 2 -- "$1")" != '#!' ]
}

# What npm installs as `deno` may be a Node script that starts the real binary and stays in between, so that a kill
# would hit only the script. The binary lies in a package beside it.
binary_of() {
  found=$(command -v "$1") || return 1
  if ! is_binary "$found"; then
    packages=$(dirname -- "$(readlink -f -- "$found")")
    binary=$(first_binary "$packages/deno" "$(packaged "$packages/..")") && found=$binary
  fi
  printf '%s\n' "$found"
}

packaged() {
  set +f
  printf '%s\n' "$1"/@deno/*/deno
}

first_binary() {
  for candidate in $*; do
    if is_binary "$candidate"; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

find_deno() {
  if [ -n "$DENO" ]; then
    binary_of "$DENO" && return
    echo "Error: DENO is set to $DENO, which is no program that can be run" >&2
    return 1
  fi
  # Where deno itself runs this, as in `deno task`, it need not be on the PATH.
  parent=$(readlink -f "/proc/$PPID/exe" 2>/dev/null)
  case $parent in
    */deno) first_binary "$parent" && return ;;
  esac
  binary_of deno && return
  first_binary "$built_with" "$(packaged "$here/../node_modules")" && return
  echo "Error: deno was not found: put it on the PATH, name its binary in DENO, or run npm install deno" >&2
  return 1
}

IFS=$newline
deno=$(find_deno) || exit 127
# Both runs have the same flags of the engine: the code that it has compiled for one is of use to the other.
engine=--v8-flags=--expose-gc,--heap-growing-percent=300,--initial-old-space-size=32
# The runtime gives memory back at SIGUSR2, which the programs send to themselves when nothing moves.
export DENO_USR2_MEMORY_TRIM=1

# One flag a line, so that spaces in values stay within theirs. A command line in error is refused here, in the
# program's own words.
permissions_of() {
  "$deno" run --quiet --no-prompt $engine --allow-read --allow-env $config "$entry" permissions "$program" "$@"
}

permissions=$(permissions_of "$@") || {
  refused=$?
  # A later runtime that does not know one of the engine's flags refuses all of them. They save time and memory; every
  # program works without.
  "$deno" eval --quiet --no-config $engine "" 2>/dev/null && exit $refused
  echo "Warning: this version of deno does not take $engine, and the program runs without" >&2
  engine=
  permissions=$(permissions_of "$@") || exit
}
exec "$deno" run --quiet $engine $permissions $config "$entry" "$program" "$@"
