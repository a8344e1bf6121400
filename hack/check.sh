# shellcheck shell=bash
# The checks of a test script: one line each, the totals at the end. Sourced.
set -u
PASSED=0 FAILED=0 CHECK_OUTPUT=$(mktemp)

# check TITLE COMMAND... : passes when COMMAND ends with 0; shows what it printed when not
check() {
  local title=$1 begun=$SECONDS
  shift
  if "$@" >"$CHECK_OUTPUT" 2>&1; then
    PASSED=$((PASSED + 1))
    echo "ok      $title ($((SECONDS - begun)) s)"
  else
    FAILED=$((FAILED + 1))
    echo "FAILED  $title: $*"
    tail -n 40 "$CHECK_OUTPUT" | sed 's/^/        | /'
  fi
}

# fails COMMAND... : whether COMMAND ends with something other than 0
fails() { ! "$@"; }

# same A B, contains TEXT PART : comparisons that show what they compared
same() { [[ $1 == "$2" ]] || { printf 'have: %s\nwant: %s\n' "$1" "$2"; return 1; }; }
contains() { [[ $1 == *"$2"* ]] || { printf 'not in it: %s\nhave: %s\n' "$2" "$1"; return 1; }; }

# totals : the last line; ends the script with 0 only if something passed and nothing failed
totals() {
  rm -f "$CHECK_OUTPUT"
  echo "$PASSED passed, $FAILED failed"
  ((FAILED == 0 && PASSED > 0))
  exit
}
