#!/bin/sh
# See to it that the programs a make target needs exist, or stop and name them. Never goes on without one.
#
#   scripts/system-parts.sh test|filter
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

has_wasm_rust() {
    # A rustup toolchain with the target, or Debian's toolchain with the sources its standard library is built from.
    for rustc in rustc "${HOME:-}/.cargo/bin/rustc"; do
        root=$("$rustc" --print sysroot 2>/dev/null) || continue
        [ -d "$root/lib/rustlib/wasm32-unknown-unknown/lib" ] && return 0
    done
    debian_wasm_rust
}

debian_wasm_rust() {
    [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] && command -v wasm-ld-22 && ls -d /usr/src/rustc-*/library
}

case "${1:-}" in
test)
    need git "git, to list the files that are checked" command -v git
    ;;
filter)
    need gcc "a C compiler driver, to link the native tests" command -v cc
    if ! has_wasm_rust >/dev/null 2>&1; then
        missing="$missing rustc-web cargo-web rust-web-src rust-web-llvm lld-22"
        wanted="$wanted
  Rust with the target wasm32-unknown-unknown (rustup target add wasm32-unknown-unknown;
  Debian: rustc-web cargo-web rust-web-src rust-web-llvm lld-22)"
    fi
    ;;
*)
    echo "usage: $0 test|filter" >&2
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
