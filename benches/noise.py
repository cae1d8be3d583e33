#!/usr/bin/env python3
"""How often loadgate blames a service for what the machine did.

Makes a baseline of a service on a quiet machine, then runs the same service again beside busy loops, with the
generator stopped at random, or with the generator held back by a control group; unchanged, and with one endpoint
made three times slower. An unchanged service must never be `failed`, a slowed one never `passed`, and a slowed one on
a quiet machine (`--hogs 0 --slow`) is always `failed`: otherwise, and if a run gave no verdict, the exit status is 1.
Needs Linux and Python's standard library; datasette is installed from PyPI into a folder below `target/`.

    cargo build --release
    benches/noise.py --service demo --runs 10 --hogs 1,2,4
    benches/noise.py --service datasette --as host --where target,generator --pattern random --slow

Every run is one line of `target/noise/runs.jsonl`, and a run that is there is not made again: a campaign can be
stopped and continued, and a table of all of it is printed each time. The results are kept in `target/noise/results`,
and `--judge` decides about all of them again, with the loadgate of today and without any load.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "target" / "noise"
PORT = 18_230
STATUSES = ["passed", "failed", "inconclusive", "invalid", "error"]
BUSY = "while True: pass"
GROUPS = Path("/sys/fs/cgroup")
# The folder and the files of a control group that may have 5 % of a CPU, in version 2 and in version 1.
QUOTAS = [
    (GROUPS / "loadgate-noise", {"cpu.max": "5000 100000"}),
    (GROUPS / "cpu" / "loadgate-noise", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "5000"}),
]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Demo:
    """The demo service: it waits rather than works, so it needs little CPU."""

    name = "demo"
    paths = ["/health"]
    slowed = "GET /health"

    def __init__(self, loadgate: Path) -> None:
        self.loadgate = loadgate

    def command(self, address: str, slow: bool) -> list[str]:
        slower = ["--slow", f"{self.slowed}=+200%"] if slow else []
        return [str(self.loadgate), "demo-api", "--listen", address, *slower]


class Datasette:
    """A service that works for its answers: datasette over SQLite. Three times slower is three times the work."""

    name = "datasette"
    work = {"light": 200, "small": 2_000, "medium": 6_000, "heavy": 10_000}
    paths = [f"/data/{name}.json?_shape=array" for name in work]
    slowed = "GET /data/heavy.json"

    def __init__(self, _: Path) -> None:
        self.folder = FOLDER / "datasette"
        self.python = self.folder / "venv" / "bin" / "python"
        if not self.python.exists():
            say("installing datasette into target/noise/datasette")
            subprocess.run([sys.executable, "-m", "venv", self.folder / "venv"], check=True)
            install = [self.python, "-m", "pip", "install", "--quiet", "datasette", "setuptools<81"]
            subprocess.run(install, check=True)
        sqlite3.connect(self.folder / "data.db").close()
        for slow in (False, True):
            self.metadata(slow).write_text(json.dumps({"databases": {"data": {"queries": self.queries(slow)}}}))

    def metadata(self, slow: bool) -> Path:
        return self.folder / ("slow.json" if slow else "plain.json")

    def queries(self, slow: bool) -> dict:
        def query(name: str, rows: int) -> dict:
            rows *= 3 if slow and name == "heavy" else 1
            count = f"with recursive c(x) as (select 1 union all select x + 1 from c where x < {rows})"
            return {"sql": f"{count} select count(*) as n, sum(x % 7) as s from c"}

        return {name: query(name, rows) for name, rows in self.work.items()}

    def command(self, address: str, slow: bool) -> list[str]:
        # The address of a target is written by loadgate, and its port apart.
        port = "{{ port }}" if address.startswith("{{") else address.rsplit(":", 1)[1]
        serve = ["-m", "datasette", "serve", str(self.folder / "data.db"), "-h", "127.0.0.1", "-p", port]
        return [str(self.python), *serve, "-m", str(self.metadata(slow))]


class Hogs:
    """Busy loops, on one CPU or anywhere, all the time or coming and going."""

    def __init__(self, count: int, cpu: int | None, pattern: str, seed: int) -> None:
        self.children = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
        for child in self.children if cpu is not None else []:
            os.sched_setaffinity(child.pid, {cpu})
        self.over = threading.Event()
        self.threads = []
        if pattern == "random":
            for number, child in enumerate(self.children):
                chance = random.Random(f"{seed} {number}")
                thread = threading.Thread(target=come_and_go, args=(child, self.over, chance))
                self.threads.append(thread)
                thread.start()

    def __enter__(self) -> Hogs:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        for child in self.children:
            child.kill()
            child.wait()


def come_and_go(child: subprocess.Popen, over: threading.Event, chance: random.Random) -> None:
    while not over.wait(chance.uniform(0.2, 2.0)):
        os.kill(child.pid, signal.SIGSTOP)
        over.wait(chance.uniform(0.2, 2.0))
        os.kill(child.pid, signal.SIGCONT)


def stop_and_go(run: subprocess.Popen, over: threading.Event, chance: random.Random) -> None:
    """Stops the generator, never the service: that is in a session of its own."""
    while not over.wait(chance.uniform(0.05, 0.8)):
        try:
            os.kill(run.pid, signal.SIGSTOP)
            time.sleep(chance.uniform(0.03, 0.4))
            os.kill(run.pid, signal.SIGCONT)
        except ProcessLookupError:
            return


def load_of(model: str, rate: float) -> str:
    users = 8
    return {
        "open": f"load: {{arrivals: {rate:.0f}/s, max_users: 200, run_time: RUN_TIME}}",
        "paced": f"users: {users}\n    run_time: RUN_TIME",
        "closed": "users: 2\n    run_time: RUN_TIME",
    }[model]


class Campaign:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.loadgate = options.loadgate.resolve()
        self.service = {"demo": Demo, "datasette": Datasette}[options.service](self.loadgate)
        self.log = FOLDER / "runs.jsonl"
        self.done = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        cpus = sorted(os.sched_getaffinity(0))
        self.cpu = {"target": cpus[0], "generator": cpus[-1]}

    def rate(self) -> float:
        """Half of what the service can carry, measured once."""
        kept = FOLDER / f"{self.service.name}.rate"
        if not kept.exists():
            say("measuring what the service can carry")
            result = self.run(self.workspace("closed", False, 0.0, "any"), seconds=5)
            kept.write_text(str(max(5.0, min(400.0, result["totals"]["requests_per_second"] / 2))))
        return float(kept.read_text())

    def workspace(self, model: str, slow: bool, rate: float, where: str) -> Path:
        """A folder with the configuration; runs of one baseline share their `baselines`."""
        service, options = self.service, self.options
        pinned = where != "any"
        kind = f"{service.name}-{options.kind}-{model}-{'pinned' if pinned else 'free'}"
        folder = FOLDER / kind
        folder.mkdir(parents=True, exist_ok=True)
        prefix = ["taskset", "-c", str(self.cpu["target"])] if pinned else []
        self.host = [*prefix, *service.command(f"127.0.0.1:{PORT}", slow)]
        command = json.dumps([*prefix, *service.command("{{ address }}", slow)])
        ready = "/health" if service.name == "demo" else "/-/versions.json"
        target = f"target: {{command: {command}, ready: {ready}}}"
        if options.kind == "host":
            target = f"host: 'http://127.0.0.1:{PORT}'"
        wait = f"wait: {{throughput: {rate / 8:.2f}/s}}, " if model == "paced" else ""
        tasks = ", ".join(f"t{at}: [{{get: '{path}'}}]" for at, path in enumerate(service.paths))
        shares = ", ".join(f"t{at}: 1" for at, _ in enumerate(service.paths))
        load = load_of(model, rate)
        (folder / "config.yaml").write_text(
            f"version: 1\nname: noise\nbaseline: {{}}\nthresholds: {{error_rate: 1%}}\n"
            f"environments:\n  here:\n    {target}\n    {load}\n"
            f"scenarios:\n  s:\n    users: {{u: {{{wait}tasks: {{{shares}}}}}}}\n    tasks: {{{tasks}}}\n"
        )
        return folder

    def run(self, folder: Path, seconds: float, stop: int | None = None, quota: bool = False,
            remember: bool = False, pinned: bool = False) -> dict:
        config = folder / "config.yaml"
        config.write_text(config.read_text().replace("RUN_TIME", f"{seconds:.0f}s"))
        verb = ["baseline", "update", "--runs", "1"] if remember else ["run"]

        def prepare() -> None:
            if pinned:
                os.sched_setaffinity(0, {self.cpu["generator"]})
            if quota:
                (self.group / "cgroup.procs").write_text(str(os.getpid()))

        server = subprocess.Popen(self.host, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) \
            if self.options.kind == "host" else None
        over = threading.Event()
        try:
            if server:
                until_it_answers(f"http://127.0.0.1:{PORT}{self.service.paths[0]}")
            latest = folder / "reports" / "latest"
            latest.unlink(missing_ok=True)
            child = subprocess.Popen(
                [self.loadgate, *verb, "--quiet"], cwd=folder, preexec_fn=prepare, text=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            if stop is not None:
                args = (child, over, random.Random(stop))
                threading.Thread(target=stop_and_go, args=args, daemon=True).start()
            try:
                _, said = child.communicate(timeout=seconds + 120)
            except subprocess.TimeoutExpired:
                child.kill()
                _, said = child.communicate()
            if remember and child.returncode:
                say(said[-500:])
            result = latest / "result.json"
            if not result.exists():
                return {"said": said[-500:]}
            return json.loads(result.read_text())
        finally:
            over.set()
            if server:
                server.kill()
                server.wait()

    def baseline(self, folder: Path, pinned: bool) -> None:
        wanted = self.options.baseline
        # A run is not remembered if the machine was in use, so a few more may be needed.
        for _ in range(3 * wanted):
            found = len(list((folder / "baselines").rglob("run-*.json")))
            if found >= wanted:
                return
            say(f"baseline {found + 1} of {wanted} ({folder.name})")
            self.run(folder, self.options.seconds, remember=True, pinned=pinned)
        raise SystemExit(f"{folder.name}: {wanted} runs were wanted, and fewer could be remembered")

    def cell(self, key: dict, index: int) -> None:
        name = {**key, "run": index}
        if any(all(row.get(field) == value for field, value in name.items()) for row in self.done):
            return
        folder = self.workspace(key["model"], False, self.rate(), key["where"])
        pinned = key["where"] != "any"
        self.baseline(folder, pinned)
        self.workspace(key["model"], key["slow"], self.rate(), key["where"])
        cpu = self.cpu.get(key["where"])
        with Hogs(key["hogs"], cpu, key["pattern"], index):
            stop = index if key["stopped"] else None
            result = self.run(folder, self.options.seconds, stop, key["quota"], pinned=pinned)
        machine = result.get("machine") or {}
        row = {
            **name,
            **told(result.get("verdict") or {}),
            "folder": folder.name,
            "result": self.kept(result),
            "others_cpu": machine.get("others_cpu"), "idle": machine.get("idle"), "speed": machine.get("speed"),
            "contention": machine.get("contention"), "unknown": machine.get("others_unknown"),
            "steal": (result.get("generator") or {}).get("steal"), "said": result.get("said"),
        }
        self.done.append(row)
        with self.log.open("a") as log:
            log.write(json.dumps(row) + "\n")
        say(json.dumps({field: row[field] for field in ("hogs", "where", "pattern", "slow", "status", "why", "worse",
                                                        "others_cpu", "idle")}))

    def kept(self, result: dict) -> str:
        """The name of the file in which the result is kept."""
        folder = FOLDER / "results"
        folder.mkdir(exist_ok=True)
        name = f"{len(list(folder.iterdir())):04}.json"
        (folder / name).write_text(json.dumps(result))
        return name

    def judge(self) -> None:
        """Decides again about every result that is kept."""
        for row in self.done:
            if row.get("said"):
                continue
            command = [self.loadgate, "judge", FOLDER / "results" / row["result"], "--format", "json"]
            judged = subprocess.run(command, cwd=FOLDER / row["folder"], capture_output=True, text=True)
            if not judged.stdout:
                raise SystemExit(f"{row['result']} cannot be judged: {judged.stderr}")
            before = row["status"]
            row.update(told(json.loads(judged.stdout)))
            if row["status"] != before:
                say(f"{row['result']}: {before} before, {row['status']} now")
        self.log.write_text("".join(json.dumps(row) + "\n" for row in self.done))

    def everything(self) -> None:
        options = self.options
        plain = {"service": self.service.name, "kind": options.kind, "model": "open", "hogs": 0, "where": "any",
                 "pattern": "steady", "slow": options.slow, "stopped": False, "quota": False}
        cells = [{**plain, "hogs": hogs, "where": where, "pattern": pattern}
                 for hogs in options.hogs for where in options.where for pattern in options.pattern]
        if options.stop:
            cells = [{**plain, "model": model, "stopped": True} for model in ("closed", "paced", "open")]
        if options.quota:
            self.group = held_back(options.kind)
            cells = [{**plain, "quota": True}]
        for index in range(options.runs):
            for key in cells:
                self.cell(key, index)


def until_it_answers(url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{url} does not answer")


def held_back(kind: str) -> Path:
    """A control group that lets the generator, and not the service, have 5 % of a CPU."""
    if kind != "host":
        raise SystemExit("--quota needs --as host: a target that loadgate starts would be held back with it")
    for group, files in QUOTAS:
        try:
            group.mkdir(exist_ok=True)
            for name, value in files.items():
                # Below a folder that is no control group, it would be an ordinary file that limits nothing.
                with (group / name).open("r+") as file:
                    file.write(value)
            return group
        except OSError as error:
            say(f"{group} cannot be made here: {error}")
            shutil.rmtree(group, ignore_errors=True)
    raise SystemExit("--quota needs a control group")


def told(verdict: dict) -> dict:
    """What a campaign remembers of a verdict."""
    deltas, checks = verdict.get("deltas", []), verdict.get("checks", [])
    return {
        "status": verdict.get("status", "error"),
        "reasons": verdict.get("reasons", []),
        "why": sorted({one["because"]["kind"] for one in deltas + checks
                       if one.get("because") and one.get("gated", True)}),
        "worse": [f"{one['metric']} of {one['endpoint']}: {one['change']:+.0%}" for one in deltas
                  if one.get("candidate") and one.get("gated")],
    }


def table(rows: list[dict]) -> tuple[str, bool]:
    cells: dict[tuple, Counter] = {}
    for row in rows:
        what = "generator stopped" if row["stopped"] else "quota of 5 %" if row["quota"] else f"{row['hogs']} busy loops"
        key = (row["service"], row["kind"], row["model"], what, row["where"], row["pattern"],
               "3 times slower" if row["slow"] else "unchanged")
        cells.setdefault(key, Counter())[row["status"]] += 1
    lines = ["| service | as | model | beside it | where | pattern | code | " + " | ".join(STATUSES) + " |",
             "|" + "---|" * 7 + "--:|" * len(STATUSES)]
    for key, counts in sorted(cells.items()):
        lines.append("| " + " | ".join([*key, *(str(counts[status]) for status in STATUSES)]) + " |")
    return "\n".join(lines) + "\n", any(map(is_wrong, rows))


def is_wrong(row: dict) -> bool:
    quiet = not (row["hogs"] or row["stopped"] or row["quota"])
    if row["slow"] and quiet:
        return row["status"] != "failed"
    return row["status"] in ("error", "passed" if row["slow"] else "failed")


def main() -> int:
    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loadgate", type=Path, default=ROOT / "target" / "release" / "loadgate")
    parser.add_argument("--service", choices=["demo", "datasette"], default="demo")
    parser.add_argument("--as", dest="kind", choices=["target", "host"], default="target")
    parser.add_argument("--runs", type=int, default=10, help="of every cell")
    parser.add_argument("--baseline", type=int, default=5, help="quiet runs to compare with")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--hogs", type=lambda text: [int(it) for it in names(text)], default=[1, 2, 4])
    parser.add_argument("--where", type=names, default=["any"], help="any,target,generator: on whose CPU")
    parser.add_argument("--pattern", type=names, default=["steady"], help="steady,random")
    parser.add_argument("--slow", action="store_true", help="one endpoint three times slower")
    parser.add_argument("--stop", action="store_true", help="stop the generator at random, in three load models")
    parser.add_argument("--quota", action="store_true", help="hold the generator to 5 %% of a CPU")
    parser.add_argument("--judge", action="store_true", help="decide again about the results that are kept")
    parser.add_argument("--again", action="store_true", help="forget what was run before")
    options = parser.parse_args()
    if not options.loadgate.exists():
        parser.error(f"{options.loadgate} is not there: cargo build --release")
    if options.again and FOLDER.exists():
        shutil.rmtree(FOLDER)
    FOLDER.mkdir(parents=True, exist_ok=True)
    campaign = Campaign(options)
    try:
        if options.judge:
            campaign.judge()
        else:
            campaign.everything()
    finally:
        text, wrong = table(campaign.done)
        (FOLDER / "table.md").write_text(text)
        print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
