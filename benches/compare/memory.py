"""The section about memory: what users cost that only stay, and whether a long run grows."""

from __future__ import annotations

from . import server
from .bench import Bench, say
from .process import Broken, memory_kb
from .report import number, table
from .tool import GET, IDLE_GET, IDLE_SOCKET, Load, Run

CROWD = 10_000
EARLY_S, LATE_S = 10, 60


def memory(bench: Bench) -> str:
    """Two tables: idle users, and a run at full speed."""
    with server.nginx(bench.folder) as nginx, server.echo(bench.bare_websocket) as echo:
        held = table(
            ["loadgate holds", "peak MB with 1", f"peak MB with {CROWD:,}", "KB per user"],
            [
                held_row(bench, "HTTP users after one request", nginx.url, IDLE_GET),
                held_row(bench, "open WebSockets", server.http(echo), IDLE_SOCKET),
            ],
        )
        resident = flatness(bench, nginx.url)
    flat = table(
        ["closed loop, 50 users", f"MB after {EARLY_S} s", f"MB after {LATE_S} s"],
        [["loadgate", *(number(resident[second] / 1024) for second in (EARLY_S, LATE_S))]],
    )
    return f"{held}\n\nOne run each; KB per user: what the users beyond the first add.\n\n{flat}"


def held_row(bench: Bench, name: str, url: str, scenario: str) -> list[str]:
    """The same users once and ten thousand times."""
    say(f"  {CROWD:,} {name}")
    one = hold(bench, url, scenario, Load(seconds=3, users=1))
    crowd = hold(bench, url, scenario, Load(seconds=12, users=CROWD))
    per_user = (crowd.cost.peak_kb - one.cost.peak_kb) / (CROWD - 1)
    return [name, number(one.peak_mb), number(crowd.peak_mb), number(per_user)]


def hold(bench: Bench, url: str, scenario: str, load: Load) -> Run:
    """Users that come within five seconds and stay; each must have got through once."""
    held = bench.loadgate.run(url, load, scenario, f"spawn_rate: {CROWD // 5}/s")
    if held.requests != load.users:
        raise Broken(f"{held.requests} users got through of {load.users}")
    return held


def flatness(bench: Bench, url: str) -> dict[int, int]:
    """Resident memory in KB, early and late in a run at full speed."""
    say(f"  a run of {LATE_S} s")
    resident: dict[int, int] = {}

    def sample(pid: int, elapsed_s: float) -> None:
        for second in (EARLY_S, LATE_S):
            if elapsed_s >= second and second not in resident:
                resident[second] = memory_kb(pid, "VmRSS") or 0

    bench.loadgate.run(url, Load(seconds=LATE_S + 2, users=50), GET, watch=sample)
    return resident
