# Bash completion for pocketcan(1).

_pocketcan() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="run up down status bus link fault dump extcap mirror doctor install help version" options="--help" i

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$current")
        return
    fi
    case ${COMP_WORDS[1]} in
    run)
        # After the first word that is neither an option nor the value of one, it is another command's line.
        for ((i = 2; i < COMP_CWORD; i++)); do
            case ${COMP_WORDS[i]} in
            --link | -l) ((i++)) ;;
            --)
                ((i++))
                break
                ;;
            -*) ;;
            *) break ;;
            esac
        done
        if ((i < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
            _command_offset "$i"
            return
        fi
        [[ $previous == --link || $previous == -l ]] && return
        if [[ $previous == --door || $previous == -d ]]; then
            mapfile -t COMPREPLY < <(compgen -W "auto preload supervisor" -- "$current")
            return
        fi
        if [[ $current != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -c -- "$current")
            return
        fi
        options="--private --link --door --help"
        ;;
    up) options="--link --quiet --help" ;;
    install) options="--system --user --remove --help" ;;
    status | doctor) options="--json --help" ;;
    bus) options="add set del show --speed --json --watch --help" ;;
    link) options="add del bus --help" ;;
    fault) options="add show del bit stuff form crc ack lost corrupt overrun delay babble dominant cut tx rx id chance seed count from for by --json --help" ;;
    dump)
        [[ $previous == -[cd] || $previous == --count || $previous == --duration ]] && return
        if [[ $previous == -w || $previous == --write ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
        fi
        options="any --write --count --duration --quiet --pcapng --help"
        ;;
    mirror) options="--name --quiet --help" ;;
    extcap) options="--extcap-interfaces --extcap-version --extcap-interface --extcap-dlts --extcap-config --extcap-capture-filter --filter --capture --fifo --help" ;;
    help) options="$commands --help" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}

complete -F _pocketcan pocketcan
