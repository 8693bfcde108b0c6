#compdef pocketcan
# Zsh completion for pocketcan(1).

_pocketcan() {
    local -a commands
    commands=(
        'run:run a command, or a shell, inside an instance'
        'up:start the instance'
        'down:end the instance'
        'status:show the interfaces and sockets of the instance'
        'bus:make and show simulated buses'
        'link:make a can interface on a simulated bus, or remove it'
        'fault:make errors happen on simulated buses'
        'dump:capture traffic into a pcapng file, fifo or pipe'
        'extcap:what Wireshark runs to list and capture interfaces'
        'mirror:show an interface to the kernel, for tcpdump and others outside'
        'doctor:say what of this machine pocketcan can use'
        'install:give CAN to every program of this machine'
        'help:show what there is, or the help of one command'
        'version:show the version'
    )

    if ((CURRENT == 2)); then
        _describe command commands
        _arguments '(- *)'{-h,--help}'[show what there is]' '(- *)'{-V,--version}'[show the version]'
        return
    fi
    case $words[2] in
    run)
        shift words
        ((CURRENT--))
        _arguments -S '(-h --help)'{-h,--help}'[show the help]' \
            '(-p --private)'{-p,--private}'[use an instance of its own, which ends with the command]' \
            '*'{-l,--link}'[make the vcan interface and raise it first]:interface:(vcan0 vcan1 can0)' \
            '(-d --door)'{-d,--door}'[how CAN gets into programs]:door:(auto preload supervisor)' \
            '(-)1:command: _command_names -e' '*::arguments: _normal'
        ;;
    up)
        shift words
        ((CURRENT--))
        _arguments '*'{-l,--link}'[make the vcan interface and raise it]:interface:(vcan0 vcan1 can0)' \
            '(-q --quiet)'{-q,--quiet}'[say nothing but errors]' \
            '(-h --help)'{-h,--help}'[show the help]'
        ;;
    install)
        shift words
        ((CURRENT--))
        _arguments '(-s --system -r --remove)'{-s,--system}'[load the library into every program]' \
            '(-r --remove)'{-u,--user}'[whose the system-wide instance is]:user:_users' \
            '(-r --remove -s --system)'{-r,--remove}'[undo that]' '(-h --help)'{-h,--help}'[show the help]'
        ;;
    status | doctor)
        shift words
        ((CURRENT--))
        _arguments '(-j --json)'{-j,--json}'[as JSON]' '(-h --help)'{-h,--help}'[show the help]'
        ;;
    bus) _values 'bus' add set del show --speed --json --watch --help ;;
    link) _values 'link' add del bus --help ;;
    fault)
        _values 'fault' add show del bit stuff form crc ack lost corrupt overrun delay babble dominant cut \
            tx rx id chance seed count from for by --json --help
        ;;
    dump)
        shift words
        ((CURRENT--))
        _arguments '(-w --write)'{-w,--write}'[write to a file]:file:_files' \
            '(-c --count)'{-c,--count}'[end after so many frames]:frames:' \
            '(-d --duration)'{-d,--duration}'[end after that time]:seconds:' \
            '(-q --quiet)'{-q,--quiet}'[say only what is wrong]' '--pcapng[the only format]' \
            '(-h --help)'{-h,--help}'[show the help]' '*:interface:(any vcan0 vcan1 can0)'
        ;;
    mirror)
        shift words
        ((CURRENT--))
        _arguments -S '(-h --help)'{-h,--help}'[show the help]' '(-q --quiet)'{-q,--quiet}'[say only what is wrong]' \
            '(-n --name)'{-n,--name}'[the name of the kernel'"'"'s interface]:name:' \
            '(-)1:interface:(vcan0 vcan1 can0)' '(-)2:command: _command_names -e' '*::arguments: _normal'
        ;;
    extcap)
        _values 'extcap' --extcap-interfaces --extcap-version --extcap-interface --extcap-dlts --extcap-config \
            --extcap-capture-filter --filter --capture --fifo --help
        ;;
    help) _describe command commands ;;
    *) _arguments '(-h --help)'{-h,--help}'[show the help]' ;;
    esac
}

_pocketcan "$@"
