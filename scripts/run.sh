#!/usr/bin/env bash
# The second step of the action: becomes loadgate, with the command and the variables that the inputs give.
# Prepares only: what happens on GitHub is the binary's own business.
set -euo pipefail

# shellcheck source=scripts/error.sh
. "$(dirname "${BASH_SOURCE[0]}")/error.sh"

# The inputs are wrong.
refuse() {
    end 2 "$1"
}

if [ -n "${LOADGATE_BASE:-}${LOADGATE_HEAD:-}" ]; then
    refuse "the inputs \`base\` and \`head\` are not in this version: compare with a baseline instead (docs/gate.md)"
fi

words=()
# Blanks of any kind separate words, and nothing else means anything: there is no shell to understand more.
IFS=$' \t\r\n' read -r -d '' -a words < <(printf '%s\0' "${LOADGATE_COMMAND:-run}") || true
[ "${#words[@]}" -gt 0 ] || words=(run)
for word in "${words[@]}"; do
    case $word in
        *[\"\'\\\`\$]*) refuse "\`command\` is split at blanks, without quotes or variables of a shell: $word" ;;
    esac
done

binary=$LOADGATE_BINARY
folder=${LOADGATE_WORKING_DIRECTORY:-.}
# An input that nobody gave is an empty variable, which is none.
for name in "${!LOADGATE_@}"; do
    [ -n "${!name}" ] || unset "$name"
done
unset LOADGATE_BINARY LOADGATE_COMMAND LOADGATE_WORKING_DIRECTORY
[ -d "$folder" ] || refuse "\`working-directory\` is no folder: $folder"
cd -- "$folder"
exec "$binary" "${words[@]}"
