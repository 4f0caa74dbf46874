#!/bin/sh
# The `millrace` command of the image. As the first process of a container it takes in what loses its parent, and has to bury it when it
# ends: Node does not, a shell that waits does.
program=$(dirname "$(readlink -f "$0")")/millrace.mjs
[ "$$" = 1 ] || exec node "$program" "$@"

# A background job would read from nowhere
exec 3<&0
node "$program" "$@" <&3 3<&- &
child=$!
exec 3<&-
for signal in TERM INT HUP QUIT USR1 USR2; do
  # shellcheck disable=SC2064
  trap "kill -s $signal $child 2>/dev/null" "$signal"
done
# A signal ends `wait`, not the child
while :; do
  wait "$child"
  status=$?
  kill -0 "$child" 2>/dev/null || exit "$status"
done
