#!/bin/sh
# The main job, as `make demo` runs it inside `pocketcan run --private`: makes vcan0 with ip, listens with candump, sends with cansend
# and with a C program, removes vcan0. Every line that is shown is run as it is shown, and needs no root.
set -e
cd "$(dirname "$0")"
work=$(mktemp -d)
# Whatever goes wrong, candump does not stay behind.
trap 'kill $! 2>/dev/null || true; rm -rf "$work"' EXIT

run() { # LINE
    echo "\$ $1"
    eval "$1"
}

# candump takes a moment to open its socket; what is sent before is not for it.
wait_for_candump() {
    tries=0
    until pocketcan status --json | grep -q '"command": "candump"'; do
        tries=$((tries + 1))
        [ $tries -lt 1000 ] || { echo "demo.sh: candump opens no socket" >&2; exit 1; }
        sleep 0.01
    done
}

run "modprobe can; modprobe can_raw; modprobe vcan"
run "ip link add dev vcan0 type vcan"
run "ip link set up vcan0"
run "ip link show vcan0"
run "candump -n 2 vcan0 &"
wait_for_candump
run "cansend vcan0 123#1122"
run "cc -o $work/raw_send raw_send.c"
run "$work/raw_send"
run "wait"
run "ip -s link show vcan0"
run "ip link del vcan0"
