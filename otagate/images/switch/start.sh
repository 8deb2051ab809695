#!/bin/sh
# Writes what the environment says to /conf, waits for the map, and becomes HAProxy. Without a map no door opens: a
# mirror's switch is given one, production's is written by the steward at the first flip.
set -eu
printf '%s' "${OTAGATE_SWITCH_CONFIG:?}" > /conf/haproxy.cfg
printf '%s' "${OTAGATE_SWITCH_LUA:?}" > /conf/flip.lua
map=/run/otagate/active.map
if [ -n "${OTAGATE_SWITCH_MAP:-}" ]; then
    printf '%s' "$OTAGATE_SWITCH_MAP" > "$map"
fi
for pem in ${OTAGATE_SWITCH_OWN_TLS:-}; do
    mkdir -p "${pem%/*}"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=mirror \
        -keyout /conf/key -out /conf/certificate 2> /conf/openssl || { cat /conf/openssl >&2; exit 1; }
    cat /conf/certificate /conf/key > "$pem"
done
servers=/conf/servers # what another HAProxy knew of its servers; empty: nothing, each is found and asked anew
: > "$servers"
number=${OTAGATE_SWITCH_NUMBER:-}
run=${OTAGATE_SWITCH_RUN:-/run/otagate} # the other switch of a pair has a holder and a `serving` of its own
child=
trap '[ -z "$child" ] || kill "$child"; wait; exit 0' TERM INT
if [ ! -s "$map" ]; then
    echo "waiting for $map" >&2
    while [ ! -s "$map" ]; do sleep 0.1; done
fi
[ -n "$number" ] || exec haproxy -W -db -f /conf/haproxy.cfg

# Production: the sockets of the front doors are the holder's, and only the switch whose number stands in `serving` takes
# them. Another one rehearses: the same configuration, on ports of its own behind no door.
rehearsal=$run/rehearsal-$number.sock
sed "s#stats socket [^ ]*#stats socket $rehearsal#" /conf/haproxy.cfg > /conf/rehearsal.cfg
look() {
    read -r serving 2> /dev/null < "$run/serving" || serving=1
    read -r holder 2> /dev/null < "$run/holder" || holder=
    if [ "$serving" = "$number" ]; then now="serves $holder"; else now=rehearses; fi
}
# A socket that an earlier holder left is there and answers nobody; the new one makes its own a moment after its name.
lends() { perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new($ARGV[0]) or exit 1' "$run/holder.sock"; }
begin() {
    while [ "$now" != rehearses ] && { [ "$now" = "serves " ] || ! lends; }; do
        sleep 0.1
        look
    done
    is=$now
    echo "switch $number $is" >&2
    case $is in
        rehearses) haproxy -db -f /conf/rehearsal.cfg & ;;
        *) haproxy -db -x "$run/holder.sock" -f /conf/haproxy.cfg & ;;
    esac
    child=$!
}
look
begin
while kill -0 "$child" 2> /dev/null; do
    sleep 0.2
    look
    # One that served and is to serve no more keeps its sessions: the steward sees it end them.
    if [ "$now" = "$is" ] || [ "$now" = rehearses ]; then continue; fi
    # A server that nobody knows is taken down by the first check that fails, one that is known by the second in a row:
    # on a busy machine that is the difference between a slow check and a door that answers 503.
    if [ "$is" != rehearses ] || ! perl /usr/local/bin/otagate-servers "$rehearsal" > "$servers"; then : > "$servers"; fi
    kill "$child" 2> /dev/null || true
    wait "$child" || true
    begin
done
echo "switch $number ended" >&2
exit 1
