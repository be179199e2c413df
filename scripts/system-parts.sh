#!/bin/sh
# See to it that the programs a make target needs exist, or stop and name them. Never goes on without one.
#
#   scripts/system-parts.sh test|filter|load|registry
#
# As root on Debian or Ubuntu what is missing is installed with apt-get; anywhere else it is named, with the package
# that holds it there.
set -eu

missing=""  # packages, as Debian names them
wanted=""   # the same, in words

need() {  # need PACKAGE WORDS TEST...: unless the command TEST succeeds, PACKAGE is missing
    package=$1 words=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        missing="$missing $package"
        wanted="$wanted
  $words (Debian: $package)"
    fi
}

has() {  # has PROGRAM: also where only root's PATH leads
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1"
}

has_docker() {
    has dockerd && has docker
}

has_compose() {
    docker compose version || command -v docker-compose
}

case "${1:-}" in
test)
    need git "git, to list the files that are checked" command -v git
    need openssl "openssl, to make the certificates that secrets are tested with" command -v openssl
    need docker.io "dockerd and docker, to follow a real engine" has_docker
    need iproute2 "ip, to give that engine a bridge of its own" has ip
    need docker-compose "Compose, to bring the shipped compose file up" has_compose
    need busybox-static "a static busybox, to make that engine's image of" command -v busybox
    # What builds filters by others' SDKs (Rust, Go, Node.js) is found or installed by tests/harness/modules.py.
    ;;
filter)
    # The Rust toolchain is found, or installed, by filters/build.py itself.
    need gcc "a C compiler driver, to link the native tests" command -v cc
    ;;
load)
    need wrk "wrk, to put load on an Envoy" command -v wrk
    ;;
registry)
    need etcd-server "etcd, to compare the registry with" command -v etcd
    ;;
*)
    echo "usage: $0 test|filter|load|registry" >&2
    exit 2
    ;;
esac

[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "fairlead: installing with apt-get:$missing" >&2
    apt-get update -qq >&2
    # shellcheck disable=SC2086  # a list of package names, split on purpose
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null </dev/null
    exit 0
fi

echo "fairlead: missing on this machine:$wanted" >&2
echo "Install it and run make again." >&2
exit 1
