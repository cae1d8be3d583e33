"""The sections about CPU: what runs beside what, and the table that comes of it."""

from __future__ import annotations

from collections.abc import Mapping

from . import server
from .bench import Bench, against, cpu, cpu_columns, work_columns
from .report import middle, number, ratio, spread, table
from .tool import ONE_THREAD, Load, Tool, bare, installed, oha, wrk

USERS = (10, 50, 500, 5_000)
# At the first, two requests fall into one tick of a timer of 1 ms; at the second, none does.
RATES = (2_000, 500)
# Requests a second of all paced users together.
PACE = 20_000
CPU = ["CPU µs per request", "user", "sys"]
WORK = ["requests/s", "peak MB", "p50 ms", "p99 ms"]
BARE = "bare tokio-tungstenite"


def get(bench: Bench) -> str:
    """CPU per request in a closed loop."""
    ours: dict[str, Tool] = {"loadgate": bench.loadgate.get, "loadgate, build step": bench.loadgate.build}
    theirs = peers({"oha": oha(), "oha, one thread": oha(within=ONE_THREAD), "wrk": wrk})
    second: dict[str, Tool] = {"loadgate, HTTP/2": bench.loadgate.get_http2}
    second |= peers({"oha, HTTP/2": oha(within=ONE_THREAD, http2=True)})
    runs = bench.against_nginx(ours | theirs | second, Load(seconds=10, users=50))
    return table(
        ["tool", *CPU, *WORK, "× oha", "× wrk"],
        [
            [name, *cpu_columns(of), *work_columns(of), *against(runs, name, "oha", "wrk")]
            for name, of in runs.items()
        ],
    )


def rate(bench: Bench) -> str:
    """CPU per request, and how late requests begin, at fixed rates."""
    return "\n\n".join(rate_of(bench, per_second) for per_second in RATES)


def rate_of(bench: Bench, per_second: int) -> str:
    """The table of one rate."""
    theirs = peers(
        {
            "oha": oha(),
            "oha, one thread": oha(within=ONE_THREAD),
            "oha, latency corrected": oha("--latency-correction"),
        }
    )
    tools: dict[str, Tool] = {"loadgate": bench.loadgate.get} | theirs
    runs = bench.against_nginx(tools, Load(seconds=10, users=50, per_second=per_second))
    return table(
        [f"{number(per_second, 0)} a second", *CPU, *WORK, "schedule lag p99 ms", "× oha", "× one thread"],
        [
            [
                name,
                *cpu_columns(of),
                *work_columns(of),
                middle([run.lag_p99_ms for run in of], 3),
                *against(runs, name, "oha", "oha, one thread"),
            ]
            for name, of in runs.items()
        ],
    )


def websocket(bench: Bench) -> str:
    """CPU per round trip of a message."""
    load = Load(seconds=5, users=50)
    with server.echo(bench.bare_websocket) as url:
        clients = {
            "loadgate": lambda: bench.loadgate.echo(server.http(url), load),
            BARE: lambda: bare(bench.bare_websocket, url, load),
        }
        runs = bench.interleaved(clients)
    return table(
        ["client", "CPU µs per round trip", "user", "sys", "round trips", "peak MB", "× bare"],
        [
            [
                name,
                *cpu_columns(of),
                middle([run.requests for run in of], 0),
                middle([run.peak_mb for run in of]),
                *against(runs, name, BARE),
            ]
            for name, of in runs.items()
        ],
    )


def users(bench: Bench) -> str:
    """Whether a request costs more where there are more users: at the same rate, and as fast as they can."""
    paced: dict[str, Tool] = {"loadgate": bench.loadgate.paced}
    rate = {count: Load(seconds=10, users=count, per_user=PACE // count) for count in USERS}
    tools: dict[str, Tool] = {"loadgate": bench.loadgate.get}
    tools |= peers({"oha": oha(within=ONE_THREAD), "wrk": wrk})
    full = {count: Load(seconds=10, users=count) for count in USERS}
    at_rate = crowded(bench, f"users, {number(PACE, 0)} requests a second in all", paced, rate)
    return f"{at_rate}\n\n{crowded(bench, 'users, closed loop', tools, full)}"


def crowded(bench: Bench, title: str, tools: Mapping[str, Tool], loads: Mapping[int, Load]) -> str:
    """A row for each number of users, beside the fewest."""
    crowds = {count: bench.against_nginx(tools, load) for count, load in loads.items()}
    fewest = crowds[USERS[0]]
    columns = [column for name in tools for column in (f"{name}: CPU µs", f"× {USERS[0]} users")]
    rows = []
    for count, runs in crowds.items():
        row = [number(count, 0)]
        for name in tools:
            row += [spread(cpu(runs[name])), ratio(cpu(runs[name]), cpu(fewest[name]))]
        rows.append(row)
    return table([title, *columns], rows)


def peers(tools: Mapping[str, Tool]) -> dict[str, Tool]:
    """Those that are installed, by the first word of their name."""
    return {name: tool for name, tool in tools.items() if installed(name.split(",")[0])}
