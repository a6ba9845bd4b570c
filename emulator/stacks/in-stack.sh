#!/bin/sh
# Under the name of a program of $IN_STACK_BIN, as a link, this runs it with a stack's libc and libraries: what a
# program of the stack starts in its turn, as a compiler does, knows nothing of them.
exec "$IN_STACK_LOADER" --inhibit-cache --argv0 "$0" --library-path "$IN_STACK_LIBRARIES" \
    "$IN_STACK_BIN/${0##*/}" "$@"
