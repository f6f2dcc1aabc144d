# Sourced by the scripts beside it, with `arch` set: what Debian, Rust and QEMU call that architecture, and where is kept
# what is made for it once. Nothing of it lies in the checkout.
# shellcheck shell=sh disable=SC2034

case $arch in
amd64) triple=x86_64-unknown-linux-gnu gnu=x86_64-linux-gnu qemu= ;;
arm64) triple=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu qemu=qemu-aarch64 ;;
armhf) triple=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf qemu=qemu-arm ;;
*)
    echo "$0: '$arch' is none of amd64, arm64, armhf" >&2
    exit 2
    ;;
esac
debian=bookworm
: "${DEBIAN_MIRROR:=http://deb.debian.org/debian}"
# Debian's newest Rust is a security update. armhf does without: it has no such Rust, and nothing of these trees is shipped.
[ "$arch" = armhf ] || : "${DEBIAN_SECURITY_MIRROR:=http://deb.debian.org/debian-security}"
checkout=$(cd "$(dirname "$0")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wardwatch/cross/$arch
sysroot=$cache/sysroot
rust=$cache/rust
root=$cache/root
target=${CARGO_TARGET_DIR:-$checkout/target}

# A tree of Debian packages: debian_tree FOLDER VARIANT PACKAGES [MMDEBSTRAP'S OPTIONS...]
debian_tree() {
    tree=$1 variant=$2 packages=$3
    shift 3
    log=$cache/$(basename "$tree").log
    security=${DEBIAN_SECURITY_MIRROR:+deb $DEBIAN_SECURITY_MIRROR $debian-security main}
    if ! mmdebstrap --variant="$variant" --architectures="$arch" --include="$packages" "$@" "$debian" "$tree" \
        "deb $DEBIAN_MIRROR $debian main" "$security" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        echo "$0: Debian's packages for $arch could not be unpacked; all of the log is in $log." >&2
        echo "$0: name other mirrors with DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR; then try again" >&2
        exit 1
    fi
}
