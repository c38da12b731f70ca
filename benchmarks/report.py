"""What every benchmark says beside its figures: the machine, the results as JSON, and charts as SVG.

    from report import bar_chart, line_chart, machine, save

A result file holds what was measured together with the date, the command line and the machine, because a figure
without those cannot be compared with another. Charts follow the reader's light or dark setting, need no script
and no font, and say every value in a tooltip.
"""

import json
import math
import os
import platform
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

# What decides how fast arithmetic in half and quarter precision is; all else follows from the CPU's name.
_TELLING_FLAGS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
    "asimddp",
    "i8mm",
)
_PACKAGES = (
    "dateline", "faiss-cpu", "numpy", "onnxruntime", "openvino", "sentence-transformers", "tantivy", "tokenizers",
    "torch", "transformers",
)  # fmt: skip

Point = tuple[float, float]


def machine() -> dict[str, str | int]:
    """The CPU, its cores and telling flags, the memory in GiB, the system, Python, and a version for each package."""
    told = _cpu_of_linux()
    name = told.get("model name") or platform.processor() or platform.machine()
    if told.get("cpu family"):  # virtual machines often hide all but the family and model
        name += f" (family {told['cpu family']}, model {told['model']})"
    flags = set(re.split(r"\s+", told.get("flags", "") or told.get("Features", "")))
    return {
        "cpu": name,
        "cores": cores(),
        "flags": " ".join(flag for flag in _TELLING_FLAGS if flag in flags),
        "memory_gib": _memory_gib(),
        "system": f"{_system()}, {platform.machine()}",
        "python": platform.python_version(),
        **_versions(),
    }


def save(name: str, results: Mapping[str, Any], folder: Path) -> Path:
    """Writes `results` with machine, date and command line to `folder`/`name`.json; returns that path."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", *(_short(argument) for argument in sys.argv)]),
        "machine": machine(),
        "results": results,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _cpu_of_linux() -> dict[str, str]:
    """What Linux says of the first CPU; nothing elsewhere."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = (line.partition(":") for line in path.read_text("utf-8").split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (AttributeError, KeyError, OSError):
        return f"{platform.system()} {platform.release()}"


def _memory_gib() -> int:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (AttributeError, ValueError, OSError):
        return 0


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _short(argument: str) -> str:
    """A command-line argument as anybody could type it: of a path to elsewhere only the last name."""
    path = Path(argument)
    return path.name if path.is_absolute() or ".." in path.parts else argument


# -- charts ---------------------------------------------------------------------------------------------------

_WIDTH = 720
_LINE_HEIGHT = 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 150, 62, 58
_BAR, _GAP = 26, 12
_BAR_LEFT, _BAR_RIGHT = 246, 124
_LABEL_SPACE = 17
_OURS = "dateline"
"""Series and bars whose name begins like this are drawn in the accent colour, the others in quieter ones."""

# Hues that people with any colour vision can tell apart (Okabe and Ito), lightened for a dark ground.
_LIGHT = ("#0b62c4", "#b35900", "#00795c", "#a3457f", "#5b6770", "#8a6d00")
_DARK = ("#6cb2ff", "#ffa552", "#4fd1ac", "#f09bcb", "#b4bfc8", "#e6cf5c")
_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1c2126 }
.title { font-size: 16px; font-weight: 600 } .quiet { fill: #57616b } .grid { stroke: #dfe4e8 }
.axis { stroke: #8b959e } .ground { fill: #ffffff } .end { text-anchor: end } .mid { text-anchor: middle }
.peer { fill: #a9b4be } .bold { font-weight: 600 } .line { fill: none; stroke-width: 2.25; stroke-linejoin: round }
"""
_DARK_STYLE = """
text { fill: #e8ecef } .quiet { fill: #a5b0ba } .grid { stroke: #343c44 } .axis { stroke: #6f7a84 }
.ground { fill: #14181c } .peer { fill: #5a6772 }
"""


def line_chart(
    path: Path, title: str, series: Mapping[str, Sequence[Point]], x_label: str, y_label: str,
    *, log_x: bool = False, log_y: bool = False,
) -> None:  # fmt: skip
    """Draws each series as a line with its name at its end. Raises ValueError when there is no point at all."""
    points = [point for line in series.values() for point in line]
    if not points:
        raise ValueError(f"No point to draw in the chart '{title}'.")
    across = _Axis([x for x, _ in points], log_x, _LEFT, _WIDTH - _RIGHT)
    up = _Axis([y for _, y in points], log_y, _LINE_HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(across, up), *_axis_labels(x_label, y_label)]
    colours = _colours(series)
    ends = _spread({name: up.at(line[-1][1]) for name, line in series.items() if line})
    for name, line in series.items():
        if not line:
            continue
        colour = colours[name]
        places = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in line)
        parts.append(f'<polyline class="line s{colour}" points="{places}"/>')
        for x, y in line:
            told = f"{name}: {_number(y)} at {_number(x)}"
            parts.append(
                f'<circle class="f{colour}" cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3.5">'
                f"<title>{escape(told)}</title></circle>"
            )
        place = across.at(line[-1][0]) + 10
        parts.append(_text(place, ends[name] + 4, name, f"f{colour}" + (" bold" if colour == 0 else "")))
    _write(path, title, _LINE_HEIGHT, parts)


def bar_chart(path: Path, title: str, bars: Mapping[str, float], unit: str) -> None:
    """Draws one horizontal bar for each value, in their order. Raises ValueError when there is none."""
    if not bars:
        raise ValueError(f"No bar to draw in the chart '{title}'.")
    longest = max(*bars.values(), 0) or 1.0
    room = _WIDTH - _BAR_LEFT - _BAR_RIGHT
    parts = []
    for row, (name, value) in enumerate(bars.items()):
        top = _TOP + row * (_BAR + _GAP)
        ours = name.lower().startswith(_OURS)
        length = max(2.0, room * max(value, 0) / longest)
        weight, fill = ("bold", "f0") if ours else ("", "peer")
        parts += [
            _text(_BAR_LEFT - 12, top + _BAR / 2 + 4.5, name, f"end {weight}"),
            f'<rect class="{fill}" x="{_BAR_LEFT}" y="{top}" width="{length:.1f}" height="{_BAR}" rx="3">'
            f"<title>{escape(f'{name}: {_number(value)} {unit}')}</title></rect>",
            _text(_BAR_LEFT + length + 8, top + _BAR / 2 + 4.5, f"{_number(value)} {unit}", weight),
        ]
    _write(path, title, _TOP + len(bars) * (_BAR + _GAP) + 14, parts)


class _Axis:
    """Values to places between two edges in pixels; from zero where it is not logarithmic."""

    def __init__(self, values: Sequence[float], log: bool, low: float, high: float) -> None:
        if log and min(values) <= 0:
            raise ValueError("A logarithmic axis has no place for zero or less.")
        self._scale: Callable[[float], float] = math.log10 if log else float
        self.ticks = _log_ticks(min(values), max(values)) if log else _even_ticks(max(*values, 0.0))
        first = min(self.ticks[0], *values) if log else self.ticks[0]
        last = max(self.ticks[-1], *values)
        self._first, self._last = self._scale(first), self._scale(last)
        self._low, self._high = low, high

    def at(self, value: float) -> float:
        """Where a value stands."""
        share = (self._scale(value) - self._first) / ((self._last - self._first) or 1)
        return self._low + share * (self._high - self._low)


def _even_ticks(most: float, wanted: int = 5) -> list[float]:
    """Round steps from zero to past `most`."""
    rough = (most or 1) / wanted
    unit = 10 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough * 0.999)
    return [step * i for i in range(math.ceil(most / step - 1e-9) + 1 if most else 2)]


def _log_ticks(least: float, most: float) -> list[float]:
    """1, 3, 10, 30 … or, over less than a decade and a half, 1, 2, 5, 10 …, around the values."""
    factors = (1, 2, 5) if most / least < 30 else (1, 3)
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    steps = [factor * 10.0**decade for decade in decades for factor in factors]
    first = max((i for i, step in enumerate(steps) if step <= least * 1.001), default=0)
    last = min((i for i, step in enumerate(steps) if step >= most * 0.999), default=len(steps) - 1)
    return steps[first : max(last, first + 1) + 1]


def _grid(across: _Axis, up: _Axis) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _LINE_HEIGHT - _BOTTOM
    for tick in up.ticks:
        y = up.at(tick)
        yield f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 10, y + 4.5, _number(tick), "quiet end")
    for tick in across.ticks:
        x = across.at(tick)
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
        yield _text(x, bottom + 20, _number(tick), "quiet mid")
    yield f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'


def _axis_labels(x_label: str, y_label: str) -> Iterator[str]:
    yield _text((_LEFT + _WIDTH - _RIGHT) / 2, _LINE_HEIGHT - 14, x_label, "quiet mid")
    yield _text(20, _TOP - 16, y_label, "quiet")


def _colours(series: Mapping[str, Any]) -> dict[str, int]:
    """A colour number for each name, 0 for our own."""
    others = iter(range(1, len(_LIGHT)))
    return {name: 0 if name.lower().startswith(_OURS) else next(others, len(_LIGHT) - 1) for name in series}


def _spread(places: Mapping[str, float]) -> dict[str, float]:
    """Label heights near the wanted ones, none upon another."""
    spread: dict[str, float] = {}
    lowest = -math.inf
    for name, place in sorted(places.items(), key=lambda item: item[1]):
        lowest = spread[name] = max(place, lowest + _LABEL_SPACE)
    overrun = max(0.0, lowest - (_LINE_HEIGHT - _BOTTOM))
    return {name: place - overrun for name, place in spread.items()}


def _number(value: float) -> str:
    """A value as people write it: 0.983, 7.4, 650, 65,498, 3 million."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g} million"
    if abs(value) >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _text(x: float, y: float, words: str, names: str) -> str:
    return f'<text class="{names.strip()}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _write(path: Path, title: str, height: float, parts: Sequence[str]) -> None:
    light = " ".join(f".f{i} {{ fill: {hue} }} .s{i} {{ stroke: {hue} }}" for i, hue in enumerate(_LIGHT))
    dark = " ".join(f".f{i} {{ fill: {hue} }} .s{i} {{ stroke: {hue} }}" for i, hue in enumerate(_DARK))
    drawn = "\n".join(parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}"'
        f' height="{height:g}" role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">\n'
        f"<style>{_STYLE}{light}\n@media (prefers-color-scheme: dark) {{ {_DARK_STYLE} {dark} }}</style>\n"
        f'<rect class="ground" width="{_WIDTH}" height="{height:g}" rx="8"/>\n'
        f"{_text(20, 30, title, 'title')}\n{drawn}\n</svg>\n",
        encoding="utf-8",
    )
