# shellcheck shell=bash
# Shared by the scripts here; sourced, not run. Leaves the shell in the repository's root.

unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
root=$PWD

say() {
    printf '%s\n' "$*"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

package_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need ITEM...: installs the Debian packages that are missing. An item is a package's name, or
# COMMAND:PACKAGE where having the command is enough, wherever it came from.
# VMFOX_SETUP=skip installs nothing, for systems where the packages were put in by hand.
apt_updated=
need() {
    local item missing=()
    [ "${VMFOX_SETUP:-}" != skip ] || return 0
    for item; do
        case $item in
        *:*) have "${item%%:*}" || missing+=("${item#*:}") ;;
        *) package_installed "$item" || missing+=("$item") ;;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    have apt-get || die "this script installs packages on Debian and Ubuntu only. On this system," \
        "install what these Debian packages hold: ${missing[*]}. Then run it again with" \
        "VMFOX_SETUP=skip in the environment."
    [ "$(id -u)" = 0 ] || have sudo || die "root or sudo is needed to install: ${missing[*]}"
    say "installing ${missing[*]}"
    if [ -z "$apt_updated" ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null ||
            die "apt-get update failed; the packages wanted are: ${missing[*]}"
        apt_updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
        install -y --no-install-recommends "${missing[@]}" </dev/null ||
        die "apt-get could not install: ${missing[*]}. The scripts know Debian 12 and Ubuntu" \
            "24.04; elsewhere install the like of these and set VMFOX_SETUP=skip."
}

# configure DIR OPTION...: sets a build folder up unless it is there.
configure() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@"
}

# The text for the word count: ten copies of the King James Bible, one verse a line.
make_text() {
    local text=build/demo/kjv10.txt
    ! [ -s $text ] || return 0
    mkdir -p build/demo
    # Without "Ge1:1 " in front.
    bible -f gen1:1-rev22:21 </dev/null | sed 's/^[^ ]* //' >build/demo/kjv.txt
    [ "$(wc -l <build/demo/kjv.txt)" -eq 31102 ] || die "bible(1) did not print the whole text"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        cat build/demo/kjv.txt
    done >$text.part
    mv $text.part $text
}

# The layout of the code is clang-format 14's; other versions differ in details.
clang_format() {
    local tool
    for tool in clang-format-14 clang-format build/venv/bin/clang-format; do
        if have "$tool" && "$tool" --version | grep -q 'version 14\.'; then
            say "$tool"
            return
        fi
    done
    return 1
}

# The tests' node, in front of an older one of the system.
use_node() {
    [ ! -x build/node/node_modules/.bin/node ] || PATH=$root/build/node/node_modules/.bin:$PATH
}

# A Chromium for the tests: the system's, but not a snap, which can't be driven from outside its
# confinement; else the one that scripts/setup fetched.
find_chromium() {
    local name path
    for name in chromium google-chrome google-chrome-stable; do
        path=$(command -v "$name") || continue
        case $(readlink -f "$path") in
        /snap/* | */bin/snap) ;;
        *)
            say "$path"
            return
            ;;
        esac
    done
    path=$(find build/browsers -type f -perm -u+x \
        \( -name chrome-headless-shell -o -name headless_shell \) -print -quit 2>/dev/null || true)
    [ -n "$path" ] && say "$root/$path"
}
