# Every program of the machine would ask for a library that is gone.
if [ "$1" = 0 ] && ! /usr/lib/rmcp/rmcp-rescue disable --system --purge >/dev/null; then
    echo "rmcp: not removed, since /etc/ld.so.preload could not be changed; see above, then try again" >&2
    exit 1
fi
