# Read by the scripts of the action, not run: how they end when something is wrong.
# shellcheck shell=bash

# Ends with this status and an error for the log and the page of the run, in which what would end the line is escaped.
end() {
    local status=$1 message=$2
    message=${message//\%/%25}
    message=${message//$'\r'/%0D}
    message=${message//$'\n'/%0A}
    printf '::error title=loadgate::%s\n' "$message"
    exit "$status"
}
