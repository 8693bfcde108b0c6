# For the scripts of this folder, after tap.sh: an instance, and what must be true of it when the dust settles.
# shellcheck shell=bash

dir=$POCKETCAN_DIR
stress=$BUILD/tests/stress
export STRESS_SEED=${STRESS_SEED:-$$}

status() { timeout 20 pocketcan status --json | jq -r "$1"; }
worker() { status .worker_pid; }
sockets_are() { [[ $(status '.sockets | length') -eq $1 ]]; }
no_names() { [[ -z $(ls "$dir/s") ]]; }
is_sanitized() { ldd "$BUILD/pocketcan" | grep -qE 'lib(a|t|ub)san'; }
is_small() { is_sanitized || [[ $(awk '/^VmRSS/ { print $2 }' "/proc/$1/status") -le 8192 ]]; } # KiB
run() { timeout "$1" pocketcan run "${@:2}"; }

# Nothing of all that was is left.
clean() { # NAME
    ok "$1: every slot comes back" until_ok 15 sockets_are 0
    ok "$1: and every name" until_ok 15 no_names
}
