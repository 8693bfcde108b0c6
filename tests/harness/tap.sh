# For test scripts in bash: `. tests/harness/tap.sh` (a test file starts at the top of the source tree), one call a test, tap_done last.
#
#   ok NAME COMMAND...      passes when the command succeeds
#   not_ok NAME COMMAND...  passes when it fails
#   is NAME GOT WANTED      passes when both texts are equal
#   like NAME GOT REGEX     passes when the text matches the extended regular expression
#   skip NAME REASON        neither
#   until_ok SECONDS COMMAND...   waits for a condition, with a deadline; for use as a COMMAND above
#   process_is_gone PID           a condition: it has ended, whether or not its parent has taken note
# shellcheck shell=bash

tap_count=0
tap_failed=0

tap_result() { # STATUS NAME
    tap_count=$((tap_count + 1))
    if [[ $1 -eq 0 ]]; then
        echo "ok $tap_count - $2"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $2"
    fi
}

ok() {
    local name=$1 status=0
    "${@:2}" || status=$?
    tap_result "$status" "$name"
    [[ $status -eq 0 ]] || echo "# status $status of: ${*:2}"
}

not_ok() {
    local name=$1 status=0
    "${@:2}" && status=1
    tap_result "$status" "$name"
    [[ $status -eq 0 ]] || echo "# should have failed: ${*:2}"
}

is() {
    local status=0
    [[ $2 == "$3" ]] || status=1
    tap_result "$status" "$1"
    [[ $status -eq 0 ]] || printf '%s\n' "got:    $2" "wanted: $3" | sed 's/^/# /'
}

like() {
    local status=0
    [[ $2 =~ $3 ]] || status=1
    tap_result "$status" "$1"
    [[ $status -eq 0 ]] || printf '%s\n' "got:            $2" "does not match: $3" | sed 's/^/# /'
}

skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

until_ok() {
    local deadline=$((SECONDS + $1))
    until "${@:2}"; do
        [[ $SECONDS -le $deadline ]] || return 1
        sleep 0.02
    done
}

process_is_gone() {
    local state
    state=$(ps -o stat= -p "$1")
    [[ -z $state || $state == Z* ]]
}

tap_done() {
    echo "1..$tap_count"
    [[ $tap_failed -eq 0 ]]
    exit
}
