"""What every section needs: the tools side by side, and the columns that say what they cost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import server
from .report import middle, ratio, spread
from .tool import Load, Loadgate, Run, Tool, checked

Runs = Mapping[str, list[Run]]


@dataclass(frozen=True)
class Bench:
    """The programs that were built, a folder for servers, and how often everything runs."""

    loadgate: Loadgate
    bare_websocket: Path
    folder: Path
    repetitions: int

    def interleaved(self, contenders: Mapping[str, Callable[[], Run]]) -> Runs:
        """All of them once, then all of them again, so that each meets the same weather."""
        runs: dict[str, list[Run]] = {name: [] for name in contenders}
        for repetition in range(self.repetitions):
            for name, measure in contenders.items():
                say(f"  {name}, {repetition + 1} of {self.repetitions}")
                runs[name].append(measure())
        return runs

    def against_nginx(self, tools: Mapping[str, Tool], load: Load) -> Runs:
        """The same load by each tool on one nginx."""
        with server.nginx(self.folder) as nginx:
            contenders = {name: partial(checked, tool, nginx, load) for name, tool in tools.items()}
            return self.interleaved(contenders)


def say(line: str) -> None:
    """Conversation, not data."""
    print(line, file=sys.stderr, flush=True)


def cpu(runs: list[Run]) -> list[float]:
    """CPU per request of each run."""
    return [run.cpu_us for run in runs]


def cpu_columns(runs: list[Run]) -> list[str]:
    """CPU per request, and its two parts."""
    return [
        spread(cpu(runs)),
        middle([run.user_us for run in runs], 2),
        middle([run.sys_us for run in runs], 2),
    ]


def work_columns(runs: list[Run]) -> list[str]:
    """What was done: requests a second, memory at its highest, p50, p99."""
    return [
        middle([run.per_second for run in runs], 0),
        middle([run.peak_mb for run in runs]),
        middle([run.p50_ms for run in runs], 3),
        middle([run.p99_ms for run in runs], 3),
    ]


def against(runs: Runs, name: str, *others: str) -> list[str]:
    """How many times the CPU of these, where they ran."""
    return [ratio(cpu(runs[name]), cpu(runs[other]) if other in runs else None) for other in others]
