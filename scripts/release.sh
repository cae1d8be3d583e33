#!/usr/bin/env bash
# What .github/workflows/release.yml does, step by step: build TARGET, which ends with pack BINARY TARGET, then commit,
# then publish. All but the building needs no network and no GitHub, so a test runs it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

assets=target/release-assets
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
tag=v$version

# One archive with the binary alone, as scripts/install.sh expects it.
build() {
    local target=$1
    rustup target add "$target"
    case $target in
        *-linux-musl)
            sudo apt-get update -qq
            sudo apt-get install -qq -y --no-install-recommends musl-tools
            export CC=musl-gcc
            ;;
    esac
    cargo build --release --locked --bin loadgate --target "$target"
    pack "target/$target/release/loadgate" "$target"
}

# The archive of a binary: the same bytes whoever packs it and when, and whoever unpacks it as root gets a file of root.
pack() {
    local binary=$1 target=$2 staged=target/release-staged stamp
    stamp=$(git log -1 --format=%ct)
    mkdir -p "$assets" "$staged"
    install -m 755 "$binary" "$staged/loadgate"
    if [[ $(tar --version) == *GNU* ]]; then
        tar --owner=0 --group=0 --numeric-owner --sort=name --format=ustar --mtime="@$stamp" -cf - -C "$staged" loadgate
    else
        TZ=UTC touch -t "$(TZ=UTC date -r "$stamp" +%Y%m%d%H%M.%S)" "$staged/loadgate"
        # macOS would add a second entry with its own attributes.
        COPYFILE_DISABLE=1 tar --no-mac-metadata --uid 0 --gid 0 --uname '' --gname '' --format ustar -cf - -C "$staged" loadgate
    fi | gzip -9n >"$assets/loadgate-$target.tar.gz"
    rm -r "$staged"
}

# Of every archive, for who downloads it, and of the binary in it, for who finds it in a tool cache.
checksums() {
    local archive sum
    (cd "$assets" && sha256sum -- *.tar.gz)
    for archive in "$assets"/*.tar.gz; do
        sum=$(tar -xzOf "$archive" loadgate | sha256sum)
        printf '%s  %s\n' "${sum%% *}" "$(basename "$archive" .tar.gz)"
    done
}

# The commit that the tag will be on: what was built, and beside it VERSION and checksums.txt, nothing else. It is
# on no branch, and the work tree stays as it is. Its name goes to a file.
commit() {
    local index=$PWD/target/release-index tree
    printf '%s\n' "$version" >target/VERSION
    checksums >target/checksums.txt
    rm -f "$index"
    GIT_INDEX_FILE=$index git read-tree HEAD
    local file
    for file in VERSION checksums.txt; do
        GIT_INDEX_FILE=$index git update-index --add --cacheinfo "100644,$(git hash-object -w "target/$file"),$file"
    done
    tree=$(GIT_INDEX_FILE=$index git write-tree)
    rm -f "$index"
    git -c user.name=github-actions[bot] -c user.email=41898282+github-actions[bot]@users.noreply.github.com \
        commit-tree "$tree" -p HEAD -m "release: $version" >target/release-commit
}

# A draft with the binaries, the tag, and then the draft becomes the release. Stopped on the way, it is started again:
# nobody has seen what a draft holds, so another takes its place. A tag stays, and so does what was built under it.
publish() {
    gh auth setup-git
    local draft there
    draft=$(gh release view "$tag" --json isDraft --jq .isDraft 2>/dev/null) || draft=none
    there=$(git ls-remote origin "refs/tags/$tag" | cut -f 1)
    if [ "$draft" = false ] || { [ -n "$there" ] && [ "$draft" = none ]; }; then
        echo "::error title=release::$tag is there already: raise the version in Cargo.toml first"
        exit 1
    fi
    if [ -z "$there" ]; then
        [ "$draft" = none ] || gh release delete "$tag" --yes
        gh release create "$tag" --draft --title "loadgate $version" --notes-file CHANGELOG.md "$assets"/*.tar.gz target/checksums.txt
        git push origin "$(cat target/release-commit):refs/tags/$tag"
    fi
    gh release edit "$tag" --draft=false --verify-tag
}

"$@"
