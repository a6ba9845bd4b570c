/sbin/ldconfig
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
fi
# Nothing is enabled here. Where it was, this puts the new version into the list, tried as always; if that fails the list
# keeps naming the old version's files, which no upgrade touches.
if [ "$1" -gt 1 ] && rmcp status >/dev/null 2>&1; then
    rmcp enable --system || echo "rmcp: programs keep the version before; see above, then run: rmcp enable --system" >&2
fi
