#!/bin/sh
# Make a virtual environment from Python alone, or keep a usable one.
#
#   scripts/venv.sh DIR
#
# Finds a Python >= 3.11, says what is wrong in words where there is none, and on Debian or Ubuntu installs the package
# that holds `ensurepip` when it may (root) and names it when it may not.
set -eu

dir=$1

fail() {
    echo "fairlead: $*" >&2
    exit 1
}

usable() {  # usable PYTHON: exists, runs and is new enough
    "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

apt_may_run() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1
}

apt_install() {
    echo "fairlead: installing $* with apt-get" >&2
    apt-get update -qq >&2 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null </dev/null
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if usable "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

make_venv() {
    rm -rf "$dir"
    "$python" -m venv "$dir" >"$log" 2>&1 && usable_venv
}

usable_venv() {
    usable "$dir/bin/python" && "$dir/bin/python" -m pip --version >/dev/null 2>&1
}

if usable_venv; then
    exit 0
fi

python=$(find_python) || {
    if ! command -v python3 >/dev/null 2>&1 && apt_may_run; then
        apt_install python3 python3-venv
    fi
    python=$(find_python) || fail "Python 3.11 or newer is needed; found: $(python3 --version 2>&1 || echo none)." \
        "Install it, or name it: make PYTHON=/path/to/python3.12 ..."
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

if make_venv; then
    exit 0
fi
# Debian and Ubuntu ship Python without ensurepip; python3.X-venv brings it.
package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
if apt_may_run; then
    apt_install "$package" && make_venv && exit 0
fi
cat "$log" >&2
rm -rf "$dir"
fail "$python could not make a virtual environment. On Debian or Ubuntu: apt-get install $package"
