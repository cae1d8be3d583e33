#!/usr/bin/env python3
"""loadgate beside its peers on this machine: builds it, runs everything, prints a report in markdown.

Needs Linux, two CPUs, cargo and nginx; oha and wrk take part where they are installed. Run it on an idle
machine: `benches/compare.py`, or `benches/compare.py get rate` for some of the sections.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import process
from compare.bench import Bench, say
from compare.memory import memory
from compare.process import Broken
from compare.section import get, rate, users, websocket
from compare.server import nginx_program
from compare.tool import Loadgate, installed

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = {
    "get": ("GET in a closed loop: 50 users without waits, 10 s", get),
    "rate": ("Fixed rates for 10 s (oha: over 50 connections)", rate),
    "websocket": ("WebSocket echo: 50 users, 100 bytes, 5 s", websocket),
    "memory": ("Memory", memory),
    "users": ("More users, 10 s", users),
}
# Of all CPUs; the two that are used here should be ours alone.
QUIET = 0.05
VERSIONS = {"oha": ["--version"], "wrk": ["--version"], "nginx": ["-v"]}


def main() -> int:
    arguments = parse()
    if nginx_program() is None:
        sys.exit("nginx is not installed")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("two CPUs are needed: one for the service, one for the generator")
    process.prepare()
    bare_websocket = build("bare_websocket", ["bench", "--no-run", "--bench"])
    # Last: benchmarks are built with other features, which also makes another loadgate.
    loadgate = arguments.loadgate or build("loadgate", ["build", "--release", "--bin"])
    print(header(loadgate, arguments.repetitions), flush=True)
    broken = False
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Loadgate(loadgate.resolve()), bare_websocket, Path(folder), arguments.repetitions)
        for name in arguments.sections or SECTIONS:
            title, section = SECTIONS[name]
            say(name)
            neighbours = process.Neighbours()
            try:
                body = section(bench)
            except Broken as error:
                broken, body = True, f"**No numbers:** {error}"
            print(f"\n## {title}\n\n{body}\n\n{quiet(neighbours.share())}", flush=True)
    return int(broken)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; default all")
    parser.add_argument("--loadgate", type=Path, metavar="PATH", help="a binary; default: one is built")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="of the runs; default 3")
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}: there are {', '.join(SECTIONS)}")
    if arguments.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    return arguments


def build(name: str, how: list[str]) -> Path:
    """Has cargo build a program, and asks it where that is."""
    command = ["cargo", *how, name, "--locked", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        sys.exit(f"cargo could not build {name}")
    for message in map(json.loads, built.stdout.splitlines()):
        if message.get("executable") and message["target"]["name"] == name:
            return Path(message["executable"])
    sys.exit(f"cargo has built no {name}")


def header(loadgate: Path, repetitions: int) -> str:
    """What was compared, and where."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    programs = {"loadgate": (str(loadgate), ["--version"])}
    for name, flags in VERSIONS.items():
        program = nginx_program() if name == "nginx" else name
        programs[name] = (program or name, flags)
    lines = [
        "# loadgate side by side",
        "",
        f"- machine: {model[1] if model else platform.machine()}, {os.cpu_count()} CPUs, "
        f"Linux {platform.release()}, load average {os.getloadavg()[0]:.1f} at the start",
        f"- programs: {', '.join(version(name, *program) for name, program in programs.items())}",
        f"- all traffic on 127.0.0.1; the service on CPU {process.SERVER_CPU}, the generator on CPU "
        f"{process.GENERATOR_CPU}",
        f"- median (least–most) of {repetitions} interleaved runs; CPU is user and system of the whole "
        "generator process, its start included",
        "- ratios (×) are CPU per request, of the medians: below 1 is less",
    ]
    return "\n".join(lines)


def quiet(share: float) -> str:
    """Whether the machine was idle but for us."""
    said = f"Other processes used {share:.0%} of the machine meanwhile"
    return f"{said}." if share <= QUIET else f"**{said}: too much to compare finely.**"


def version(name: str, program: str, flags: list[str]) -> str:
    """The name and what it says of itself; some say it on stderr, or with a status of 1."""
    if name != "nginx" and name != "loadgate" and not installed(name):
        return f"{name} not installed, left out"
    done = subprocess.run([program, *flags], capture_output=True, text=True, check=False)
    number = re.search(r"\d+\.\d+(\.\d+)?\S*", done.stdout + done.stderr)
    return f"{name} {number[0] if number else 'of unknown version'}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
