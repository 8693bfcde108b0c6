# For the scripts here: conformance programs of another architecture or libc, which tools/build-arch has built (`make arch`), against this machine's daemon.
#   run_arch NAME RUNNER [PROGRAM...]   RUNNER: a command that runs such a program, or ''
# What differs from 64-bit programs of this machine, with the reason, is in NAME.differences.
# shellcheck shell=bash

run_arch() {
    local name=$1 runner=$2 differences=tests/arch/$1.differences
    shift 2
    if ! [ -d "$BUILD/arch/$name" ]; then
        echo "1..0 # SKIP not built: make arch"
        exit
    fi
    [ -f "$differences" ] || differences=
    PROGRAMS=$BUILD/arch/$name/tests/conformance RUNNER=$runner KNOWN=$differences exec tests/conformance/pocketcan.test "$@"
}

# Under qemu-user: all programs but
#   fd_exec                  executes itself, which needs the emulator registered with binfmt_misc
#   packet_ring              cannot map its rings there; why is not looked into yet (on i386 it passes)
#   bcm_receive, bcm_procfs  count what a full buffer loses, and read from it while the daemon still has frames to serve
run_emulated() { # NAME EMULATOR LIBC
    local name=$1 emulator=$2 libc=$3 path programs=()
    command -v "$emulator" >/dev/null || {
        echo "1..0 # SKIP no $emulator"
        exit
    }
    for path in "$BUILD/arch/$name/tests/conformance"/*; do
        case ${path##*/} in
        fd_exec | bcm_receive | bcm_procfs | packet_ring | *.p) ;;
        *) programs+=("${path##*/}") ;;
        esac
    done
    run_arch "$name" "$emulator -L $libc" "${programs[@]}"
}
