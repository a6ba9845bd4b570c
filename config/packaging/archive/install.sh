#!/bin/sh
# Installs RMCP from the folder that this script lies in, or removes what it installed. It enables nothing.
set -eu
umask 022

usage() {
    cat <<END
usage: ./install.sh [--prefix FOLDER | --user] [--uninstall]

  --prefix FOLDER  install below FOLDER instead of /usr/local
  --user           install below ~/.local, which needs no root
  --uninstall      take RMCP out of /etc/ld.so.preload, then remove what was installed there

With DESTDIR set, for makers of packages, everything goes below \$DESTDIR and nothing of this machine is asked or changed.
END
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

wrong() {
    echo "install.sh: $*" >&2
    usage >&2
    exit 2
}

prefix=
uninstall=
while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -gt 1 ] || wrong "--prefix needs a folder"
        [ -z "$prefix" ] || wrong "more than one place to install to"
        [ -n "$2" ] || wrong "the folder of --prefix is empty"
        prefix=$2
        shift
        ;;
    --prefix=*)
        [ -z "$prefix" ] || wrong "more than one place to install to"
        prefix=${1#--prefix=}
        [ -n "$prefix" ] || wrong "the folder of --prefix is empty"
        ;;
    --user)
        [ -z "$prefix" ] || wrong "more than one place to install to"
        [ -n "${HOME:-}" ] || fail "--user means ~/.local, and HOME is not set"
        prefix=$HOME/.local
        ;;
    --uninstall) uninstall=yes ;;
    --help | -h)
        usage
        exit
        ;;
    *) wrong "what is $1?" ;;
    esac
    shift
done
prefix=${prefix:-/usr/local}
case $prefix in
*[\ :\$]* | *'
'*) fail "$prefix: LD_PRELOAD cannot express a blank, a colon, a dollar sign or a line end in a path" ;;
/*) ;;
*) fail "$prefix is not a whole path: begin it with /" ;;
esac

DESTDIR=${DESTDIR:-}
top=$DESTDIR$prefix
# What is installed, by paths below the prefix; a folder that was made ends with a slash.
list=share/rmcp/installed
here=$(dirname "$0")

# Removes what a list names and, of its folders, those that are empty then.
remove() {
    while IFS= read -r file; do
        case $file in
        */) ;;
        *) rm -f "$top/$file" ;;
        esac
    done <"$1"
    sort -r "$1" | while IFS= read -r file; do
        case $file in
        */) rmdir "$top/$file" 2>/dev/null || : ;;
        esac
    done
}

named() {
    grep -qs 'librmcp\.so' /etc/ld.so.preload
}

# No program may ask for a library that is gone.
disable() {
    rescue=$top/lib/rmcp/rmcp-rescue
    if [ "$(id -u)" = 0 ]; then
        "$rescue" disable --system --purge >/dev/null || fail "nothing removed, since /etc/ld.so.preload could not be changed"
    elif named && ! [ -x /usr/lib/rmcp/rmcp-rescue ]; then
        fail "nothing removed: RMCP is in /etc/ld.so.preload; first run as root: $rescue disable --system --purge"
    fi
}

if [ -n "$uninstall" ]; then
    [ -f "$top/$list" ] || fail "$top/$list is missing: nothing was installed there by this script"
    [ -w "$top/share/rmcp" ] || fail "cannot write to $top; run as its owner"
    [ -n "$DESTDIR" ] || disable
    gone=$(mktemp)
    trap 'rm -f "$gone"' EXIT
    cp "$top/$list" "$gone"
    remove "$gone"
    exit
fi

cd "$here"
[ -x bin/rmcp ] || fail "bin/rmcp is missing beside this script: unpack the whole archive"
if [ -z "$DESTDIR" ]; then
    bin/rmcp --version >/dev/null || fail "bin/rmcp does not start here: RMCP needs a Linux for x86-64 with glibc 2.28 or later"
fi
mkdir -p "$top" 2>/dev/null || :
[ -w "$top" ] || fail "cannot write to $top; run as root, or with --user"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
find bin include lib share ! -type d | sort >"$scratch/files"
# The unit of systemd names its program below /usr.
if [ "$prefix" != /usr ]; then
    grep -v '^lib/systemd/' "$scratch/files" >"$scratch/some"
    mv "$scratch/some" "$scratch/files"
fi
if [ -z "$DESTDIR" ]; then
    echo "$list" >>"$scratch/files"
    while IFS= read -r file; do
        folder=$(dirname "$file")
        while [ "$folder" != . ]; do
            [ -d "$top/$folder" ] || echo "$folder/"
            folder=$(dirname "$folder")
        done
    done <"$scratch/files" >"$scratch/made"
    # The folders of an installation before are this one's too; its other files are not, unless this one has them.
    if [ -f "$top/$list" ]; then
        grep '/$' "$top/$list" >>"$scratch/made" || :
        grep -vxF -f "$scratch/files" "$top/$list" | grep -v '/$' >"$scratch/old" || :
    fi
    # Written first, so that whatever is half done can be removed.
    mkdir -p "$top/share/rmcp"
    touch "$scratch/old"
    sort -u "$scratch/files" "$scratch/made" "$scratch/old" >"$top/$list"
fi

while IFS= read -r file; do
    [ "$file" != "$list" ] || continue
    mkdir -p "$top/$(dirname "$file")"
    # A program that runs keeps the file that it has.
    cp -P "$file" "$top/$file.new"
    mv "$top/$file.new" "$top/$file"
done <"$scratch/files"

[ -z "$DESTDIR" ] || exit 0
remove "$scratch/old"
sort -u "$scratch/files" "$scratch/made" >"$top/$list"
if [ "$(id -u)" = 0 ] && command -v ldconfig >/dev/null; then
    ldconfig || :
fi
echo "Installed below $top. Remove it with: $here/install.sh --prefix $prefix --uninstall"
if named; then
    echo "Programs have the version that is in /etc/ld.so.preload until you run as root: $top/bin/rmcp enable --system"
fi
