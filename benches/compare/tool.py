"""The generators: how each is asked for a load, and how its answer is read.

A count that cannot be right is an error here, and never becomes a number in a table.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .process import Broken, Cost, Finished, Watch, run, unwatched
from .server import Nginx


@dataclass(frozen=True)
class Load:
    """So many users in a closed loop without waits, or so many requests a second: of all arrivals, or of each
    user."""

    seconds: int
    users: int
    per_second: int | None = None
    per_user: int | None = None


@dataclass(frozen=True)
class Run:
    """What one run has done, and what it has cost."""

    requests: int
    seconds: float
    cost: Cost
    p50_ms: float | None = None
    p99_ms: float | None = None
    lag_p99_ms: float | None = None

    @property
    def user_us(self) -> float:
        """Per request, as all of these."""
        return self.cost.user_s * 1e6 / self.requests

    @property
    def sys_us(self) -> float:
        return self.cost.sys_s * 1e6 / self.requests

    @property
    def cpu_us(self) -> float:
        return self.user_us + self.sys_us

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def peak_mb(self) -> float:
        return self.cost.peak_kb / 1024


Tool = Callable[[Nginx, Load], Run]

GET = "{users: {user: {steps: [{get: /}]}}}"
GET_HTTP2 = "{http: {version: 2}, users: {user: {steps: [{get: /}]}}}"
# As real configurations have it: templates, an expectation, a capture.
BUILD = """
    users:
      user: {on_start: login, headers: {Authorization: "Bearer {{ token }}"}, tasks: {build: 1}}
    data:
      prompts: [a landing page, a shop with a cart, a game of chess, a forum]
      chains: [ethereum, solana, polygon]
    tasks:
      login: [{post: /token, capture: {token: $.access_token}}]
      build:
        - post: /builds
          json: {prompt: "{{ pick(prompts) }}", chains: ["{{ pick(chains) }}"]}
          expect: {status: 200}
          capture: {build_id: $.build_id}
"""
# Each user has round trips on one socket until the run ends.
ROUND_TRIPS = 10_000_000
ECHO = f"""
    users:
      user:
        steps:
          - websocket: /
            steps: [{{repeat: {ROUND_TRIPS}, steps: [{{send: {{text: {"x" * 100}}}}}, {{receive: {{}}}}]}}]
"""
# One request, or one socket, and then nothing for longer than the run.
IDLE_GET = "{users: {user: {wait: 1h, steps: [{get: /}]}}}"
IDLE_SOCKET = "{users: {user: {steps: [{websocket: /, steps: [{hold: 1h}]}]}}}"
# Here it is meant: a closed loop without waits saturates its core, and users that stay do nothing more.
MEANT = {"no_objective", "generator_cpu", "no_steady_request"}
PASSED, INVALID = 0, 6
Result = dict[str, Any]


@dataclass(frozen=True)
class Loadgate:
    """loadgate, with a configuration of its own for every run."""

    program: Path

    def get(self, nginx: Nginx, load: Load) -> Run:
        return self.run(nginx.url, load, GET)

    def get_http2(self, nginx: Nginx, load: Load) -> Run:
        return self.run(nginx.http2_url, load, GET_HTTP2)

    def paced(self, nginx: Nginx, load: Load) -> Run:
        """Every user at its pace."""
        wait = f"{{throughput: {load.per_user}/s}}"
        return self.run(nginx.url, load, f"{{users: {{user: {{wait: {wait}, steps: [{{get: /}}]}}}}}}")

    def build(self, nginx: Nginx, load: Load) -> Run:
        return self.run(nginx.url, load, BUILD)

    def echo(self, url: str, load: Load) -> Run:
        """Counts round trips: what was sent, but for what was under way at the end."""
        result, cost = self.result(url, load, ECHO)
        sockets = [endpoint["websocket"] for endpoint in result["endpoints"]]
        sent, received = (sum(socket[f"messages_{way}"] for socket in sockets) for way in ("out", "in"))
        if abs(sent - received) > load.users:
            raise Broken(f"loadgate: {sent} messages sent, {received} received")
        return replace(read(result, cost), requests=received)

    def run(self, url: str, load: Load, scenario: str, more: str = "", watch: Watch = unwatched) -> Run:
        return read(*self.result(url, load, scenario, more, watch))

    def result(
        self, url: str, load: Load, scenario: str, more: str = "", watch: Watch = unwatched
    ) -> tuple[Result, Cost]:
        """One run, with more keys of `load`; refused with any failure, or anything unfinished."""
        model = f"users: {load.users}" if load.per_second is None else f"arrivals: {load.per_second}/s"
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "config.yaml").write_text(
                f"version: 1\nenvironments:\n  bench: {{host: '{url}'}}\n"
                f"load: {{{model}, run_time: {load.seconds}s, {more}}}\nscenarios:\n  bench: {scenario}\n"
            )
            finished = run([str(self.program), "run", "--quiet"], load.seconds, Path(folder), watch)
            if finished.status not in (PASSED, INVALID):
                raise Broken(f"loadgate ended with {finished.status}: {last_line(finished.stderr)}")
            result: Result = json.loads(Path(folder, "reports/latest/result.json").read_text())
        whole = result["whole_run"]
        findings = {finding["kind"] for finding in result["verdict"]["findings"]} - MEANT
        if whole["failed"] or whole["unfinished"] or findings:
            samples = [failure["samples"] for failure in result["failures"]]
            counts = f"failed {whole['failed']}, unfinished {whole['unfinished']}"
            raise Broken(f"loadgate: {counts}, {sorted(findings)} {samples}")
        return result, finished.cost


def read(result: Result, cost: Cost) -> Run:
    """What of a result is compared."""
    times = result["totals"]["response_time"] or {}
    return Run(
        requests=result["whole_run"]["ok"],
        seconds=result["duration_s"],
        cost=cost,
        p50_ms=times.get("p50_ms"),
        p99_ms=times.get("p99_ms"),
        lag_p99_ms=result["generator"]["schedule_lag_p99_ms"],
    )


# oha starts a thread for each CPU of the machine, not of those it may use.
ONE_THREAD = ("env", "TOKIO_WORKER_THREADS=1")


def oha(*flags: str, within: tuple[str, ...] = (), http2: bool = False) -> Tool:
    """oha with these flags, started by these words."""

    def measure(nginx: Nginx, load: Load) -> Run:
        rate = [] if load.per_second is None else ["-q", str(load.per_second)]
        shape = ["-z", f"{load.seconds}s", "-c", str(load.users), *rate, *flags]
        url, version = (nginx.http2_url, ["--http-version", "2"]) if http2 else (nginx.url, [])
        words = [*within, "oha", "--no-tui", "--output-format", "json", *version, *shape, f"{url}/"]
        finished = run(words, load.seconds)
        answer = json.loads(succeeded("oha", finished))
        # What its end cuts off is no error.
        errors = {kind: n for kind, n in answer["errorDistribution"].items() if "deadline" not in kind}
        statuses: dict[str, int] = answer["statusCodeDistribution"]
        if errors or set(statuses) != {"200"}:
            raise Broken(f"oha: statuses {statuses}, errors {errors}")
        times = answer["latencyPercentiles"]
        seconds = answer["summary"]["total"]
        return Run(statuses["200"], seconds, finished.cost, times["p50"] * 1e3, times["p99"] * 1e3)

    return measure


def wrk(nginx: Nginx, load: Load) -> Run:
    """wrk with one thread."""
    flags = ["-t", "1", "-c", str(load.users), "-d", f"{load.seconds}s", "--latency"]
    finished = run(["wrk", *flags, f"{nginx.url}/"], load.seconds)
    text = succeeded("wrk", finished)
    done = re.search(r"(\d+) requests in ([\d.]+)s", text)
    if not done or "Socket errors" in text or "Non-2xx" in text:
        raise Broken(f"wrk: {text.strip()}")
    p50, p99 = (wrk_time_ms(text, percentile) for percentile in (50, 99))
    return Run(int(done[1]), float(done[2]), finished.cost, p50, p99)


def wrk_time_ms(text: str, percentile: int) -> float | None:
    """A line of wrk's distribution: `99%  634.00us`."""
    found = re.search(rf"^ +{percentile}% +([\d.]+)(us|ms|s)$", text, re.MULTILINE)
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]] if found else None


def bare(program: Path, url: str, load: Load) -> Run:
    """The bare WebSocket client of `bare_websocket.rs`."""
    finished = run([str(program), "client", url, str(load.users), str(load.seconds)], load.seconds)
    return Run(int(succeeded("bare_websocket", finished)), load.seconds, finished.cost)


def checked(tool: Tool, nginx: Nginx, load: Load) -> Run:
    """One run whose count agrees with nginx, but for what was under way at the end."""
    before = nginx.requests()
    measured = tool(nginx, load)
    answered = nginx.requests() - before
    if not 0 <= answered - measured.requests <= load.users:
        raise Broken(f"{measured.requests} requests counted, {answered} answered by nginx")
    return measured


def succeeded(name: str, finished: Finished) -> str:
    """What it printed, if it ended well."""
    if finished.status != 0:
        raise Broken(f"{name} ended with {finished.status}: {last_line(finished.stderr)}")
    return finished.stdout


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def installed(name: str) -> bool:
    return shutil.which(name) is not None
