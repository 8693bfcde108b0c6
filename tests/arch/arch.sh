# For the scripts here: what tools/build-arch has built for another architecture or libc (`make arch`).
#   run_arch NAME RUNNER [PROGRAM...]   conformance programs, against this machine's daemon; RUNNER: a command that runs such a program, or ''
#   run_emulated NAME EMULATOR LIBC     the same under qemu-user
#   run_foreign NAME EMULATOR           a command and daemon of that architecture, with programs of their own kind; EMULATOR: or ''
# What differs from 64-bit programs of this machine, with the reason, is in NAME.differences. Most programs wait most of the time, so some run at a time.
# shellcheck shell=bash

export JOBS=${JOBS:-3}

skip_all() { # REASON
    echo "1..0 # SKIP $1"
    exit
}

run_arch() {
    local name=$1 runner=$2 differences=tests/arch/$1.differences
    shift 2
    [ -d "$BUILD/arch/$name" ] || skip_all "not built: make arch"
    [ -f "$differences" ] || differences=
    PROGRAMS=$BUILD/arch/$name/tests/conformance RUNNER=$runner KNOWN=$differences exec tests/conformance/pocketcan.test "$@"
}

# Under qemu-user: all programs but
#   fd_exec                  executes itself, which needs the emulator registered with binfmt_misc
#   packet_ring              cannot map its rings there; why is not looked into yet (on i386 it passes)
#   bcm_receive, bcm_procfs  count what a full buffer loses, and read from it while the daemon still has frames to serve
run_emulated() { # NAME EMULATOR LIBC
    local name=$1 emulator=$2 libc=$3 path programs=()
    command -v "$emulator" >/dev/null || skip_all "no $emulator"
    for path in "$BUILD/arch/$name/tests/conformance"/*; do
        case ${path##*/} in
        fd_exec | bcm_receive | bcm_procfs | packet_ring | *.p) ;;
        *) programs+=("${path##*/}") ;;
        esac
    done
    run_arch "$name" "$emulator -L $libc" "${programs[@]}"
}

# What of an architecture's own daemon is tried: frames of all kinds and times through its shared memory, requests and jobs through its worker, programs that execute others.
foreign_programs=(bcm_cyclic bcm_messages fd_exec fd_scm_rights isotp_padding isotp_send link_vcan raw_bpf raw_filter raw_recv raw_send raw_timestamps raw_vxcan raw_xl)

# Up, run, status, down of the command itself. Sets the numbers of the results that follow.
try_command() { # STATIC-PROGRAM
    local pocketcan=$BUILD/pocketcan
    POCKETCAN_DIR=$TMPDIR/command
    export POCKETCAN_DIR
    ok "up" "$pocketcan" up --link vcan0
    ok "run" "$pocketcan" run --door preload -- "$BUILD/tests/arch/exchange" vcan0 send 1
    like "status counts the frame" "$("$pocketcan" status | grep ^vcan0)" '^vcan0 .* up .* 1 '
    ok "down" "$pocketcan" down
    not_ok "status after down" "$pocketcan" status
    unset POCKETCAN_DIR
    if [ -n "${EMULATED-}" ]; then
        like "the second door says in one line that the emulator has none" \
            "$("$pocketcan" run --private --door supervisor -- "$pocketcan" version 2>&1 | grep -v ': warning: ')" '^pocketcan: [^ ]* cannot have CAN: this kernel gives no seccomp listener[^
]*$'
    else
        ok "the second door" "$pocketcan" run --private --link vcan0 --door supervisor -- "$1" talk
        ok "the second door, when it is needed" "$pocketcan" run --private --link vcan0 -- "$1" copies
    fi
}

# The conformance programs' results, with the numbers that follow, and the plan.
tap_include() { # COMMAND...
    local line
    while IFS= read -r line; do
        case $line in
        'ok '*) tap_result 0 "${line#ok *- }" ;;
        'not ok '*) tap_result 1 "${line#not ok *- }" ;;
        '# '*) echo "$line" ;;
        esac
    done < <("$@")
}

foreign_inside() { # NAME: BUILD is that of the architecture
    local known=tests/arch/$1.differences
    . tests/harness/tap.sh
    try_command "$BUILD/tests/arch/visitor"
    KNOWN=$([ ! -f "$known" ] || echo "$known") tap_include tests/conformance/pocketcan.test "${foreign_programs[@]}"
    tap_done
}

# The daemon executes itself, for which the emulator is registered with binfmt_misc, in a user namespace where that is ours to do (Linux 6.7).
register() { # NAME EMULATOR
    local class=1 machine='\x28' elf mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    [ "$1" != aarch64 ] || class=2 machine='\xb7'
    elf="\\x7fELF\\x0$class\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00$machine\\x00"
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc &&
        printf '%s' ":pocketcan-$1:M::$elf:$mask:$(command -v "$2"):F" >/proc/sys/fs/binfmt_misc/register
}

run_foreign() { # NAME EMULATOR
    local name=$1 emulator=$2 why
    export -f register foreign_inside try_command tap_include
    [ -x "$BUILD/arch/$name/pocketcan" ] || skip_all "not built: make arch"
    BUILD=$BUILD/arch/$name
    if [ -n "$emulator" ]; then
        command -v "$emulator" >/dev/null || skip_all "no $emulator"
        why=$(unshare -Urmn bash -c 'register "$@"' sh "$name" "$emulator" 2>&1) || skip_all "no binfmt_misc of our own: ${why##*: }"
        QEMU_LD_PREFIX=${XDG_CACHE_HOME:-$HOME/.cache}/pocketcan/arch/$name EMULATED=1 exec unshare -Urmn "$0" inside "$name" "$emulator"
    fi
    foreign_inside "$name"
}

if [ "${1-}" = inside ]; then
    register "$2" "$3" && foreign_inside "$2"
    exit
fi
