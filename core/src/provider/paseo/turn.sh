# One turn of a Paseo agent, by the commands of Paseo's program. None of them does all of a turn: one begins it, one
# waits for its end, one tells what was said. What they print, and why these: docs/providers/paseo.md.
#
#   sh -c SCRIPT NAME PROGRAM AGENT [FLAG OF A NEW AGENT ...]     the message on stdin
#
# AGENT is empty if there is none yet. INT and TERM stop the agent, which lives in Paseo's daemon and would go on.
# For every POSIX shell: dash and bash were tried.
#
# On stdout, line by line:
#
#   agent ID            the daemon has the message
#   { … }               what `paseo wait` says, over several lines, each time that it ends
#   text                the answer begins
#   end                 the last line of a turn that went well, behind all lines of the answer

paseo=$1 agent=$2
shift 2

# As the library looks for programs: what stands in a working directory must not decide what runs.
case $paseo in
*/*) ;;
*)
    set -f
    IFS=:
    for folder in $PATH; do
        case $folder in
        /*) if [ -f "$folder/$paseo" ] && [ -x "$folder/$paseo" ]; then
            paseo=$folder/$paseo
            break
        fi ;;
        esac
    done
    unset IFS
    set +f
    ;;
esac

late= caught=
stop() {
    caught=1
    if [ -n "$agent" ]; then
        "$paseo" stop "$agent" --json >/dev/null 2>&1
    else
        late=1
    fi
}
trap stop INT TERM

# The dot keeps the line ends at the end of the message. No message: the host had none for this process.
message=$(cat && echo .)
message=${message%.}
[ -n "$message" ] || exit 0
[ -z "$caught" ] || exit 1

if [ -n "$agent" ]; then
    printf %s "$message" |
        "$paseo" send "$agent" --no-wait --json --prompt-file /dev/stdin >/dev/null || exit
else
    # A new agent takes its first message on the command line and nowhere else.
    new=$("$paseo" --quiet run --detach --json "$@" -- "$message") || exit
    agent=$new
    [ -z "$late" ] || stop
fi
printf 'agent %s\n' "$agent"

# Waits for the end of the turn, and tells it. Nobody is asked: what needs a permission is denied. That may fail once,
# where somebody else answered in the same moment.
follow() {
    undenied=
    while state=$("$paseo" wait "$agent" --json); do
        printf '%s\n' "$state"
        case $state in
        *'"status": "permission"'*)
            if "$paseo" permit deny "$agent" --all --json >/dev/null; then
                undenied=
            elif [ -n "$undenied" ]; then
                return 1
            else
                undenied=1
            fi
            ;;
        *'"status": "idle"'*)
            echo text
            "$paseo" logs "$agent" --filter message --tail 1 && echo end
            return
            ;;
        *) return 0 ;;
        esac
    done
    return 1
}

# In the background: only a shell that waits takes a signal at once.
follow &
while :; do
    caught=
    wait $!
    code=$?
    [ -n "$caught" ] || exit "$code"
done
