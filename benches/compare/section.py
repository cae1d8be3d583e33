"""The sections about CPU: what runs beside what, and the table that comes of it."""

from __future__ import annotations

from collections.abc import Mapping

from . import server
from .bench import Bench, against, cpu, cpu_columns, work_columns
from .report import middle, number, ratio, spread, table
from .tool import Load, Tool, bare, installed, oha, wrk

USERS = (10, 50, 500, 5_000)
CPU = ["CPU µs per request", "user", "sys"]
WORK = ["requests/s", "peak MB", "p50 ms", "p99 ms"]
BARE = "bare tokio-tungstenite"


def get(bench: Bench) -> str:
    """CPU per request in a closed loop."""
    ours: dict[str, Tool] = {"loadgate": bench.loadgate.get, "loadgate, build step": bench.loadgate.build}
    runs = bench.against_nginx(ours | peers({"oha": oha(), "wrk": wrk}), Load(seconds=10, users=50))
    return table(
        ["tool", *CPU, *WORK, "× oha", "× wrk"],
        [
            [name, *cpu_columns(of), *work_columns(of), *against(runs, name, "oha", "wrk")]
            for name, of in runs.items()
        ],
    )


def rate(bench: Bench) -> str:
    """CPU per request, and how late requests begin, at a fixed rate."""
    theirs = peers({"oha": oha(), "oha, latency corrected": oha("--latency-correction")})
    tools: dict[str, Tool] = {"loadgate": bench.loadgate.get} | theirs
    runs = bench.against_nginx(tools, Load(seconds=10, users=50, per_second=2_000))
    return table(
        ["tool", *CPU, *WORK, "schedule lag p99 ms", "× oha"],
        [
            [
                name,
                *cpu_columns(of),
                *work_columns(of),
                middle([run.lag_p99_ms for run in of], 3),
                *against(runs, name, "oha"),
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
    """Whether a request costs more where there are more users."""
    tools: dict[str, Tool] = {"loadgate": bench.loadgate.get} | peers({"oha": oha()})
    crowds = {count: bench.against_nginx(tools, Load(seconds=8, users=count)) for count in USERS}
    fewest = crowds[USERS[0]]
    columns = [column for name in tools for column in (f"{name}: CPU µs", f"× {USERS[0]} users")]
    rows = []
    for count, runs in crowds.items():
        row = [number(count, 0)]
        for name in tools:
            row += [spread(cpu(runs[name])), ratio(cpu(runs[name]), cpu(fewest[name]))]
        rows.append([*row, *against(runs, "loadgate", "oha")])
    return table(["users", *columns, "loadgate × oha"], rows)


def peers(tools: Mapping[str, Tool]) -> dict[str, Tool]:
    """Those that are installed, by the first word of their name."""
    return {name: tool for name, tool in tools.items() if installed(name.split(",")[0])}
