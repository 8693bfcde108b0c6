# Measures kernel vcan and pocketcan in turns, in one boot of the virtual machine (tests/vm/vm), for tests/bench/run.
# usage: dash tests/bench/guest.sh BUILD ROUNDS SECONDS MEASUREMENT...    SECONDS: for each measurement of a round
# Every line of output is "kernel JSON" or "pocketcan JSON", with the JSON of tests/bench/bench, or something that went wrong.
#
# A MEASUREMENT is one of bench, or "flood": candump writes to a file what is sent to it in bursts of 100, at rates that are the same for
# both, and as fast as cangen can, which is not.
set -eu

FLOOD_FRAMES=5000
FLOOD_DUMP=/tmp/flood

# Sends frames of an id until candump has written one: it is there, or has come to the end of its queue.
sync() { # ID
    until grep -q "$1#" $FLOOD_DUMP; do cangen "$LINK" -n 1 -g 0 -I "$1" -L 0; done
}

figure() { # NAME UNIT VALUE
    echo "{\"name\": \"candump.$1\", \"unit\": \"$2\", \"samples\": 1, \"values\": [$3]}"
}

flood() { # NAME SENDER...
    name=$1
    shift
    candump -L "$LINK" >$FLOOD_DUMP &
    dumper=$!
    sync 7FF
    "$@"
    sync 7FE
    kill $dumper
    wait $dumper || true
    received=$(grep -c ' 123#' $FLOOD_DUMP)
    figure "$name.lost" % "$(echo "$received" | awk '{ print 100 - $1 * 100 / '$FLOOD_FRAMES' }')"
}

generate() { # ARGUMENTS-OF-CANGEN...
    cangen "$LINK" -n $FLOOD_FRAMES -I 123 -L 8 "$@"
}

offer() { # NAME FRAMES-A-SECOND
    figure "$1.offered" 1/s "$(echo "$FLOOD_FRAMES $2" | "$BENCH" -i "$LINK" offer)"
}

if [ "$1" = --floods ]; then
    LINK=$2 BENCH=$3
    flood bursts generate -g 5 -c 100
    flood 20k offer 20k 20000
    flood 40k offer 40k 40000
    flood 60k offer 60k 60000
    flood flood generate -g 0 -i
    exit
fi

# An instance may not have a link of a name that the kernel has.
run_on() { # kernel|pocketcan
    if [ "$1" = kernel ]; then link=vcan0 inside=''; else link=pcan0 inside="$build/pocketcan run --private --link pcan0 --"; fi
    if [ "$measurement" = flood ]; then
        $inside dash "$0" --floods $link "$build/tests/bench/bench"
    else
        $inside "$build/tests/bench/bench" -i $link -r 1 -s "$seconds" "$measurement"
    fi
}

build=$1 rounds=$2 seconds=$3
shift 3
echo "{\"kernel\": \"$(uname -r)\"}"
while [ "$rounds" -gt 0 ]; do
    rounds=$((rounds - 1))
    for measurement; do
        for side in kernel pocketcan; do
            run_on $side >/tmp/said
            sed "s/^/$side /" /tmp/said
        done
    done
done
