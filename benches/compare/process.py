"""Processes: pinned to a CPU, bounded in time, ended by their id whatever happens, and what they cost.

It knows nothing of the tools and servers that run in them.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SERVER_CPU, GENERATOR_CPU = (sorted(os.sched_getaffinity(0)) * 2)[:2]
# Beyond what a run should take: then it hangs.
GRACE_S = 60.0
POLL_S = 0.02
# Nothing that is set where this is started may reach what is measured.
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}

# Is told the id of a running process and the time since its start, again and again.
Watch = Callable[[int, float], None]
Output = int | IO[bytes]


class Broken(Exception):
    """A measurement that must not be believed."""


@dataclass(frozen=True)
class Cost:
    """What a process has used from its start to its end."""

    user_s: float
    sys_s: float
    peak_kb: int


@dataclass(frozen=True)
class Finished:
    """A process that has ended by itself."""

    status: int
    stdout: str
    stderr: str
    cost: Cost


def prepare() -> None:
    """Lets SIGTERM end this as Ctrl-C does, and children have as many files as allowed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def unwatched(_pid: int, _elapsed_s: float) -> None:
    """For most runs."""


def run(
    command: list[str],
    seconds: float,
    folder: Path | None = None,
    watch: Watch = unwatched,
) -> Finished:
    """Runs a generator on its CPU until it ends, which should take so many seconds."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        started, seen_kb = time.monotonic(), 0
        with _started(command, GENERATOR_CPU, stdout, stderr, folder) as child:
            while not (ended := os.wait4(child.pid, os.WNOHANG))[0]:
                elapsed = time.monotonic() - started
                if elapsed > seconds + GRACE_S:
                    raise Broken(f"`{Path(command[0]).name}` did not end in {elapsed:.0f} s")
                watch(child.pid, elapsed)
                seen_kb = memory_kb(child.pid, "VmHWM") or seen_kb
                time.sleep(POLL_S)
            child.returncode = os.waitstatus_to_exitcode(ended[1])
        usage = ended[2]
        # A process inherits the peak of the one that started it: this one. Below that, what was seen counts.
        inherited_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak_kb = usage.ru_maxrss if usage.ru_maxrss > inherited_kb else seen_kb
        cost = Cost(usage.ru_utime, usage.ru_stime, peak_kb)
        return Finished(child.returncode, _text(stdout), _text(stderr), cost)


def memory_kb(pid: int, field: str) -> int | None:
    """A line of the status of a process: `VmRSS`, `VmHWM`; none where it has just ended."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else None


class Neighbours:
    """What other processes use of the machine's CPU; ours have ended by the time they are counted."""

    def __init__(self) -> None:
        self._at, self._used_s = time.monotonic(), _used_by_others_s()

    def share(self) -> float:
        """Since this was made, from 0 to 1."""
        passed_s = (time.monotonic() - self._at) * (os.cpu_count() or 1)
        return max(0.0, _used_by_others_s() - self._used_s) / passed_s


def _used_by_others_s() -> float:
    numbers = map(int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8])
    user, nice, system, _idle, _waiting, irq, softirq = numbers
    # The network of our processes is softirq there, and part of their own time here.
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


@contextmanager
def serving(command: list[str]) -> Iterator[IO[bytes]]:
    """A server on its CPU, ended with the block; what it prints."""
    with _started(command, SERVER_CPU, subprocess.PIPE, subprocess.DEVNULL) as child:
        assert child.stdout is not None
        yield child.stdout


@contextmanager
def _started(
    command: list[str], cpu: int, stdout: Output, stderr: Output, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    # Also when this process is killed outright, nothing stays.
    pinned = ["setpriv", "--pdeathsig", "KILL", "taskset", "--cpu-list", str(cpu), *command]
    nothing = subprocess.DEVNULL
    child = subprocess.Popen(pinned, stdin=nothing, stdout=stdout, stderr=stderr, cwd=folder, env=ENVIRONMENT)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            child.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
