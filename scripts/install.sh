#!/usr/bin/env bash
# The first step of the action: finds the loadgate to run, and names it in the output `binary`. In this order: one
# that the job names, the tool cache of the runner, the release that this commit of the action is, its source.
# Never runs what it has no checksum of, whether it is fetched or found in the cache, except what the job names or what
# is built here. Leaves nothing behind in the cache when something is wrong.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Not GITHUB_SERVER_URL: on an Enterprise server that is another host. A mirror may have the same layout.
releases=${LOADGATE_RELEASES:-https://github.com/loadgate/loadgate/releases/download}

# shellcheck source=scripts/error.sh
. "$root/scripts/error.sh"

fail() {
    end 1 "$1"
}

# Tells the next step where the binary is, and shows that it runs here.
use() {
    local answer
    answer=$("$1" --version) || fail "this loadgate does not run on this machine: $1"
    [ -z "${LOADGATE_VERSION:-}" ] || [ "$answer" = "loadgate ${LOADGATE_VERSION#v}" ] ||
        fail "\`version\` is $LOADGATE_VERSION, and $1 says that it is $answer"
    printf '%s: %s\n' "$1" "$answer"
    printf 'binary=%s\n' "$1" >>"${GITHUB_OUTPUT:-/dev/null}"
    exit 0
}

# The release that this commit is, without its line feed; empty where it is none.
release() {
    [ ! -f "$root/VERSION" ] || tr -d '[:space:]' <"$root/VERSION"
}

# What releases and the tool cache call this machine.
platform() {
    case ${RUNNER_OS:-}/${RUNNER_ARCH:-} in
        Linux/X64) echo x86_64-unknown-linux-musl x64 ;;
        Linux/ARM64) echo aarch64-unknown-linux-musl arm64 ;;
        macOS/X64) echo x86_64-apple-darwin x64 ;;
        macOS/ARM64) echo aarch64-apple-darwin arm64 ;;
        *) echo unknown ;;
    esac
}

digest() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi <"$1" | cut -d ' ' -f 1
}

# From a mirror over TLS, or from a folder: nothing else, not even by a redirect.
download() {
    local protocol
    case $1 in
        https://*) protocol='=https' ;;
        file:///*) protocol='=file' ;;
        *) fail "LOADGATE_RELEASES must begin with https:// or file:///, and is $releases" ;;
    esac
    curl --proto "$protocol" --proto-redir "$protocol" --tlsv1.2 --fail --location --silent --show-error \
        --retry 5 --connect-timeout 20 --max-time 600 --output "$2" "$1" ||
        fail "cannot download $1. Without a network, name a loadgate by the input \`binary\`, or a mirror by LOADGATE_RELEASES"
}

# What this commit says that a file must look like, into `sum`.
look_up() {
    sum=$(awk -v name="$1" '$2 == name { print $1 }' "$root/checksums.txt") || true
    [ -n "$sum" ] || fail "$root/checksums.txt does not list $1"
}

# Whether it is a file, and the one that was released. What a link leads to may be another file by the time it is run.
released() {
    [ -f "$1" ] && [ ! -L "$1" ] && [ "$(digest "$1")" = "$2" ]
}

# Puts the release into the tool cache: whole, or not at all.
fetch() {
    local name=$1 folder=$2 archive=$1.tar.gz
    look_up "$archive"
    download "$releases/v$version/$archive" "$scratch/$archive"
    released "$scratch/$archive" "$sum" ||
        fail "$archive of $releases is not what was released: its SHA-256 is $(digest "$scratch/$archive"), and should be $sum. Nothing was installed"
    mkdir -p "$folder" || fail "cannot make the folder $folder in the tool cache"
    # On the file system of the cache, so that the last step is a rename.
    staged=$(mktemp -d "$folder/.staged.XXXXXX")
    tar -xzf "$scratch/$archive" -C "$staged" loadgate || fail "$archive holds no loadgate"
    chmod 755 "$staged/loadgate"
    look_up "$name"
    released "$staged/loadgate" "$sum" || fail "$archive holds another loadgate than $root/checksums.txt lists"
    [ "$("$staged/loadgate" --version)" = "loadgate $version" ] || fail "$archive holds no loadgate $version that runs here"
    # A file is moved into a folder, or a link to one, that has its name.
    if [ -d "$folder/loadgate" ] || [ -L "$folder/loadgate" ]; then rm -rf "$folder/loadgate"; fi
    mv -f "$staged/loadgate" "$folder/loadgate"
}

build() {
    command -v cargo >/dev/null ||
        fail "this commit of the action is no release, so it is built from source, and there is no cargo here: use a release, or name a loadgate by the input \`binary\`"
    echo 'no release: building from source'
    cargo build --release --locked --bin loadgate --manifest-path "$root/Cargo.toml" --target-dir "$root/target" ||
        fail 'loadgate cannot be built from source'
}

# shellcheck disable=SC2329 # A trap calls it.
clean() {
    rm -rf "$scratch" "${staged:-$scratch}"
}

if [ -n "${LOADGATE_BINARY:-}" ]; then
    # Relative to where the next step will run, and absolute for it.
    folder=${LOADGATE_WORKING_DIRECTORY:-.}
    [ -d "$folder" ] || end 2 "\`working-directory\` is no folder: $folder"
    cd -- "$folder"
    case $LOADGATE_BINARY in /*) binary=$LOADGATE_BINARY ;; *) binary=$PWD/$LOADGATE_BINARY ;; esac
    [ -f "$binary" ] && [ -x "$binary" ] || fail "\`binary\` is no program: $binary"
    use "$binary"
fi

version=$(release)
wanted=${LOADGATE_VERSION:-$version}
[ "${wanted#v}" = "$version" ] ||
    fail "this commit of the action is ${version:-no release}, so it does not know what loadgate $wanted must look like: pin the action at the commit of the release $wanted"
if [ -z "$version" ]; then
    build
    use "$root/target/release/loadgate"
fi
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "VERSION is no version: $version"

read -r target arch <<<"$(platform)"
[ "$target" != unknown ] ||
    fail "there is no loadgate for ${RUNNER_OS:-an unknown system} on ${RUNNER_ARCH:-an unknown machine}: only for Linux and macOS on X64 and ARM64. Name one of your own by the input \`binary\`"

scratch=$(mktemp -d "${RUNNER_TEMP:-/tmp}/loadgate.XXXXXX")
trap clean EXIT
# The layout of the tool cache: a folder, and beside it a marker that is made last.
cache=${RUNNER_TOOL_CACHE:-${RUNNER_TEMP:-/tmp}/tools}/loadgate/$version
name=loadgate-$target
look_up "$name"
if [ ! -f "$cache/$arch.complete" ] || [ ! -x "$cache/$arch/loadgate" ] || ! released "$cache/$arch/loadgate" "$sum"; then
    fetch "$name" "$cache/$arch"
    touch "$cache/$arch.complete"
fi
use "$cache/$arch/loadgate"
