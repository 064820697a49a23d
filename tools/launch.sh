#!/bin/sh
# Runs a program from source: launch.sh PROGRAM [flags]. The tasks use it; `deno task build` makes bin/* of it.
here=$(dirname -- "$(readlink -f -- "$0")")
entry=$here/../main.ts
question=$entry
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
  if [ -n "${DENO-}" ]; then
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

# The runtime takes much from its environment, past the permissions: NODE_TLS_REJECT_UNAUTHORIZED=0 turns off checks of
# certificates, NODE_OPTIONS runs files, DENO_PERMISSION_BROKER_PATH replaces the sandbox, SSLKEYLOGFILE writes the keys
# of TLS. Nothing of it reaches the programs but what is harmless and of use; see SECURITY.md.
for variable in $(export -p); do
  name=${variable#export }
  name=${name#declare -x }
  name=${name%%=*}
  case $name in
    *[!A-Za-z0-9_]*) ;;
    DENO_DIR | DENO_NO_UPDATE_CHECK | DENO_NO_PROMPT | DENO_TLS_CA_STORE | DENO_USE_CGROUPS) ;;
    DENO_* | NODE_* | SSLKEYLOGFILE) unset "$name" ;;
  esac
done
# How much memory the control groups of this process leave it, in bytes: the least that its own group and those above it
# allow, of cgroup v1 and v2 alike; empty where none has a limit. The sandbox lets the program itself read nothing of this.
# $1 is the folder that /proc and the mount points are under: empty, but for tests. $2 is a limit of its own, or empty.
memory_limit() {
  least=
  # A limit beyond a million terabytes is how v1 says that there is none, and "max" how v2 does.
  at_most() {
    case $1 in
      '' | *[!0-9]* | ???????????????????*) ;;
      *) if [ -z "$least" ] || [ "$1" -lt "$least" ]; then least=$1; fi ;;
    esac
  }
  at_most "$2"
  path_v1='' path_v2=''
  while IFS=: read -r _ controllers path; do
    case ,$controllers, in
      *,memory,*) path_v1=$path ;;
      ,,) path_v2=$path ;;
    esac
  done 2>/dev/null <"$1/proc/self/cgroup" || :
  while IFS=' ' read -r _ _ _ mounted mount rest; do
    case " ${rest##* - }," in
      ' cgroup2 '*) file=memory.max path=$path_v2 ;;
      ' cgroup '*[\ ,]memory,*) file=memory.limit_in_bytes path=$path_v1 ;;
      *) continue ;;
    esac
    # The part of the tree that is mounted here may begin at the group itself, or at one above it.
    case $path/ in
      */../*) path='' ;;
      "${mounted%/}"/*) path=${path#"${mounted%/}"} ;;
      *) path='' ;;
    esac
    top=$1$(printf '%b' "$mount")
    group=$top${path%/}
    while :; do
      value=
      [ -r "$group/$file" ] && IFS= read -r value <"$group/$file"
      at_most "$value"
      # v1 knows the groups above that are not mounted here.
      if [ "$file" = memory.limit_in_bytes ] && [ -r "$group/memory.stat" ]; then
        while IFS=' ' read -r name value; do
          [ "$name" = hierarchical_memory_limit ] && at_most "$value"
        done <"$group/memory.stat"
      fi
      case $group in "$top" | '') break ;; esac
      group=${group%/*}
    done
  done 2>/dev/null <"$1/proc/self/mountinfo" || :
  printf '%s' "$least"
}

# What the program bounds its buffers by. Whoever sets it says how much there is where no control group does.
KONNECTIVITY_MEMORY_LIMIT=$(memory_limit '' "${KONNECTIVITY_MEMORY_LIMIT:-}")
export KONNECTIVITY_MEMORY_LIMIT

# Both runs have the same flags of the engine: the code that it has compiled for one is of use to the other.
engine=--v8-flags=--expose-gc,--no-concurrent-array-buffer-sweeping,--heap-growing-percent=300,--initial-old-space-size=32
if [ -n "$KONNECTIVITY_MEMORY_LIMIT" ]; then
  # With little memory the engine collects as often as it would by itself, and in the one thread whose memory is counted.
  [ "$KONNECTIVITY_MEMORY_LIMIT" -lt 268435456 ] && engine=--v8-flags=--expose-gc,--single-threaded-gc,--max-semi-space-size=2
  # Its heap may have three quarters: what reaches that ends with the engine's own message.
  heap=$((KONNECTIVITY_MEMORY_LIMIT / 1048576 * 3 / 4))
  [ $heap -ge 32 ] || heap=32
  [ $heap -gt 4096 ] || engine=$engine,--max-old-space-size=$heap
fi
# The runtime gives memory back at SIGUSR2, which the programs send to themselves when nothing moves.
export DENO_USR2_MEMORY_TRIM=1
# Whatever else there is to do, every eighth turn of the event loop asks the system which sockets can be read. The runtime's
# own number is 61, with which a socket that is always busy keeps the others waiting for as many turns.
export DENO_TOKIO_EVENT_INTERVAL=8

# The runtime would ask its makers for newer versions of itself at every start, through HTTPS_PROXY with its password too.
export DENO_NO_UPDATE_CHECK=1
# It does not start for a user without a name where nothing says where its cache is; one that cannot be made is enough.
if [ -z "${DENO_DIR-}" ] && [ -z "${HOME-}" ] && ! id -un >/dev/null 2>&1; then
  echo "Warning: HOME and DENO_DIR are not set: name a folder in DENO_DIR that this user may write to, for smaller starts" >&2
  export DENO_DIR=/dev/null/none
fi

# How many files the program may have open: the runtime raises the soft limit to the hard one, and in the sandbox cannot say.
KONNECTIVITY_MAX_FDS=$(ulimit -Hn 2>/dev/null)
export KONNECTIVITY_MAX_FDS

# Files that the program makes (its socket, its logs) are nobody else's before they have the mode that they are to have.
umask 077

# With little memory the program's own code answers the question for its permissions, which is then in the runtime's cache
# when the program starts: a start without takes 23 MiB more.
if [ -n "$KONNECTIVITY_MEMORY_LIMIT" ] && [ "$KONNECTIVITY_MEMORY_LIMIT" -lt 268435456 ]; then
  question=$entry
fi

# One flag a line, so that spaces in values stay within theirs. A command line in error is refused here, in the
# program's own words. What the runtime would export of this run, to the console perhaps, is nobody's.
permissions_of() (
  unset OTEL_DENO OTEL_DENO_TRACING OTEL_DENO_METRICS
  "$deno" run --quiet --no-prompt $engine --allow-read --allow-env $config "$question" permissions "$program" "$@"
)

permissions=$(permissions_of "$@") || {
  refused=$?
  if [ $refused = 137 ] && [ -n "$KONNECTIVITY_MEMORY_LIMIT" ]; then
    echo "Error: killed at its start, with $((KONNECTIVITY_MEMORY_LIMIT / 1048576)) MiB of memory: a start without a cache (DENO_DIR) takes 54" >&2
    exit $refused
  fi
  # A later runtime that does not know one of the engine's flags refuses all of them. They save time and memory; every
  # program works without.
  "$deno" eval --quiet --no-config $engine "" 2>/dev/null && exit $refused
  if ! "$deno" eval --quiet --no-config "" 2>/dev/null && "$deno" eval --quiet --no-config --v8-flags=--jitless "" 2>/dev/null; then
    echo "Error: deno may make no memory executable here, and compiles as it runs: take MemoryDenyWriteExecute=yes out of the unit" >&2
    exit 1
  fi
  echo "Warning: this version of deno does not take $engine, and the program runs without" >&2
  engine=
  permissions=$(permissions_of "$@") || exit
}
# How much address space the program takes is in a file that the sandbox keeps from it. The shell's own becomes the
# program's with exec, and whoever has it open may read it; neither program reads anything else from standard input.
case $program in
  server | agent)
    if [ "$(ulimit -v 2>/dev/null)" = unlimited ] && [ -r /proc/self/statm ]; then
      exec "$deno" run --quiet $engine $permissions $config "$entry" "$program" "$@" </proc/self/statm
    fi
    ;;
esac
exec "$deno" run --quiet $engine $permissions $config "$entry" "$program" "$@"
