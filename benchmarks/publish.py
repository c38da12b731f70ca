"""Charts of benchmark results, and their figures in the documents: no number there is typed by hand.

    python benchmarks/publish.py [RESULTS] [--documents FILE ...]

RESULTS (benchmarks/results unless given) has a JSON file for each benchmark. Charts are drawn beside them; in the
documents, what stands between `<!-- begin PLACE -->` and `<!-- end PLACE -->` becomes a table, with the machine and
the day below it. Without a result file its place stays as it is.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from report import bar_chart, line_chart

DOCUMENTS = ("docs/benchmarks.md", "README.md")
_HERE = Path(__file__).parent
Results = Mapping[str, Any]
Rows = list[list[str]]


def main() -> None:
    """Draws and fills in."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="?", type=Path, default=_HERE / "results")
    parser.add_argument("--documents", type=Path, nargs="+", default=[_HERE.parent / path for path in DOCUMENTS])
    asked = parser.parse_args()
    for chart in draw_charts(asked.results):
        print(f"drawn: {chart}")
    for document in asked.documents:
        document.write_text(filled(document.read_text("utf-8"), asked.results), encoding="utf-8")


def draw_charts(folder: Path) -> Iterator[Path]:
    """Draws what can be drawn of each result in the folder; yields the files."""
    for name, draw in CHARTS.items():
        if record := _read(folder / f"{name}.json"):
            yield from draw(record["results"], folder)


def filled(text: str, folder: Path) -> str:
    """The document with a table in each place whose result is in the folder."""
    for place, (name, table) in TABLES.items():
        if record := _read(folder / f"{name}.json"):
            text = _put(text, place, [*_markdown(table(record["results"])), "", _measured_on(record)])
    records = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    rows = _summary({name: record["results"] for name, record in records.items()})
    return _put(text, "summary", list(_markdown(rows))) if len(rows) > 1 else text


def _put(text: str, place: str, lines: Sequence[str]) -> str:
    between = re.compile(rf"(<!-- begin {place} -->).*?(<!-- end {place} -->)", re.DOTALL)
    return between.sub(lambda found: "\n".join([found[1], *lines, found[2]]), text)


def _read(path: Path) -> dict[str, Any] | None:
    record: dict[str, Any] | None = json.loads(path.read_text("utf-8")) if path.is_file() else None
    return record


def _measured_on(record: Results) -> str:
    machine = record["machine"]
    return (
        f"*{record['date'][:10]}, {machine['cores']} cores of {machine['cpu']} ({machine['flags']}),"
        f" {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}. `{record['command']}`*"
    )


def _markdown(rows: Rows) -> Iterator[str]:
    """A table whose first row is its head."""
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in body:
        yield f"| {' | '.join(row)} |"


# -- tables ---------------------------------------------------------------------------------------------------


def _build_table(results: Results) -> Rows:
    rows = [["", "articles", "seconds", "articles/s", "passages/s", "most memory, MB", "Dateline is"]]
    systems = list(results["systems"].values())
    if whole := results.get("whole"):
        systems.append({"title": "Dateline, all of the source", **whole})
    for system in systems:
        faster = _times(system.get("dateline_is_faster"))
        rows.append([
            _named(system), f"{system['articles']:,}", f"{system['seconds']:,.1f}",
            f"{system['articles_a_second']:.2f}", f"{system['passages_a_second']:.0f}",
            _whole(system["peak_mb"]), faster,
        ])  # fmt: skip
    return rows


def _compare_table(results: Results) -> Rows:
    systems = results["systems"]
    sets = list(systems["dateline"]["ndcg"])
    rows = [["", "p50, ms", "p99, ms", "memory, MB", "Dateline over HTTP is", *(f"nDCG@10 {name}" for name in sets)]]
    for system in systems.values():
        told = system.get("ndcg", {})
        ours = system["title"].startswith("Dateline")
        ratio = "" if ours else _times(system.get("dateline_over_http_is_faster"))
        rows.append([
            _named(system), _short(system["p50_ms"]), _short(system["p99_ms"]), _whole(system["memory_mb"]),
            ratio, *(f"{told[name]:.3f}" if name in told else "" for name in sets),
        ])  # fmt: skip
    return rows


def _update_table(results: Results) -> Rows:
    rows = [["", "command, s", "visible after its start, s", "p99 before, ms", "slowest answer meanwhile, ms", "ratio"]]
    for name, title in (("add", "adding 10 articles"), ("rebuild", "rebuilding with 1 % changed")):
        if found := results.get(name):
            rows.append([
                title, f"{found['command_seconds']:.2f}", f"{found['visible_after_start_seconds']:.2f}",
                f"{found['undisturbed']['p99_ms']:.1f}", f"{found['during']['max_ms']:.1f}",
                f"{found['max_over_undisturbed_p99']:.1f}×",
            ])  # fmt: skip
    return rows


def _cold_table(results: Results) -> Rows:
    rows = [["from a new process to", "seconds"], ["an answer of `dateline search`", f"**{results['seconds']:.2f}**"]]
    if plain := results.get("plain_script_seconds"):
        rows.append(["an answer of a plain sentence-transformers + FAISS script", f"{plain:.2f}"])
    rows.append(["nothing: Python alone", f"{results['bare_python_seconds']:.2f}"])
    rows += [[f"of it importing `{one['module']}`", f"{one['own_ms'] / 1000:.3f}"] for one in results["imports"][:10]]
    return rows


def _serving_table(results: Results) -> Rows:
    rows = [["", "answers/s", "p50, ms", "p95, ms", "p99, ms", "refused (503)"]]
    loads = {
        "**one connection**": results["one_connection"],
        "one connection, answered before": results["from_memory"],
        **{f"{clients} clients": load for clients, load in results["clients"].items()},
    }
    for name, load in loads.items():
        figures = (f"{load[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
        rows.append([name, f"{load['per_second']:.0f}", *figures, f"{load['refused']:,}"])
    return rows


def _memory_table(results: Results) -> Rows:
    rows = [["workers", "answers/s", "memory in all, MB (shared pages once)", "resident, MB (shared pages each time)"]]
    for workers, found in results["workers"].items():
        rows.append([workers, f"{found['per_second']:.0f}", _whole(found.get("pss_mb")), _whole(found.get("rss_mb"))])
    return rows


def _filters_table(results: Results) -> Rows:
    filters = results["filters"]
    rows = [["articles that the filter leaves", "median number", "p50, ms", "p99, ms"]]
    for share, found in filters["by_share"].items():
        left = f"{100 * float(share):g} %"
        rows.append([left, f"{found['median_articles']:,.0f}", f"{found['p50_ms']:.1f}", f"{found['p99_ms']:.1f}"])
    for name, load in (
        ("all of these", filters["filtered"]),
        ("the same searches without a filter", filters["unfiltered"]),
    ):
        rows.append([name, "", f"{load['p50_ms']:.1f}", f"{load['p99_ms']:.1f}"])
    rows.append([f"searches without all results that exist, of {filters['searches']:,}", "", "",
                 f"{filters['without_all_results']}"])  # fmt: skip
    return rows


def _plain_table(results: Results) -> Rows:
    """The first list of records in the results as it is, or else each single value: for tables without a shape here."""
    records = next((value for value in results.values() if _are_records(value)), None)
    if records is None:
        return [["", ""], *([_spaced(key), _value(value)] for key, value in results.items() if _is_single(value))]
    keys = [key for key, value in records[0].items() if _is_single(value)]
    return [[_spaced(key) for key in keys], *([_value(record.get(key)) for key in keys] for record in records)]


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _is_single(value: Any) -> bool:
    return isinstance(value, (str, int, float)) or value is None


def _spaced(key: str) -> str:
    return key.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value or "")


def _summary(found: Mapping[str, Results]) -> Rows:
    """What README says: a line of each benchmark whose result is there, with its peer's figure beside it."""
    rows = [["", "Dateline", "others, same run"]]
    if build := found.get("build"):
        ours, *others = build["systems"].values()
        beside = ", ".join(f"{other['title']} {other['articles_a_second']:.1f}" for other in others)
        rows.append(["articles/s, from files to a live index", f"**{ours['articles_a_second']:.1f}**", beside])
    if compare := found.get("compare"):
        systems = compare["systems"]
        ours, txtai = systems.get("http", systems["dateline"]), systems.get("txtai")
        what = f"one search of {compare['passages']:,} passages over HTTP, p50 / p99, ms"
        beside = f"txtai, in process: {txtai['p50_ms']:.1f} / {txtai['p99_ms']:.1f}" if txtai else ""
        rows.append([what, f"**{ours['p50_ms']:.1f} / {ours['p99_ms']:.1f}**", beside])
    if serving := found.get("serving"):
        best = max(load["per_second"] for load in serving["clients"].values())
        rows.append(["searches/s, clients on the same cores", f"**{best:.0f}**", ""])
        if memory := serving["workers"].get("1", {}).get("pss_mb"):
            rows.append(["memory of the server, MB", f"**{memory:.0f}**", ""])
    if cold := found.get("cold_start"):
        plain = cold.get("plain_script_seconds")
        beside = f"plain script: {plain:.1f}" if plain else ""
        rows.append(["`dateline search` from a cold process, s", f"**{cold['seconds']:.2f}**", beside])
    if added := found.get("update", {}).get("add"):
        what = "10 articles added, in a running server's answers after, s"
        rows.append([what, f"**{added['visible_after_start_seconds']:.1f}**", ""])
    if rebuilt := found.get("update", {}).get("rebuild"):
        rows.append(["rebuild with 1 % changed, share of the full time", f"**{rebuilt['share_of_full']:.1%}**", ""])
    return rows


def _named(system: Results) -> str:
    return f"**{system['title']}**" if system["title"].startswith("Dateline") else str(system["title"])


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{_short(ratio)}× as fast"


def _short(value: float) -> str:
    """One digit after the point, or of less than one the first two that are not zero."""
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


# -- charts ---------------------------------------------------------------------------------------------------


def _build_charts(results: Results, folder: Path) -> Iterator[Path]:
    bars = {system["title"]: system["articles_a_second"] for system in results["systems"].values()}
    title = f"Articles made searchable a second ({results['articles']:,} articles, one command)"
    yield _bars(folder / "build.svg", title, bars, "articles/s")


def _compare_charts(results: Results, folder: Path) -> Iterator[Path]:
    systems = results["systems"].values()
    size = f"{results['passages']:,} passages"
    bars = {system["title"]: system["p50_ms"] for system in systems}
    yield _bars(folder / "compare-latency.svg", f"Half of the queries are answered within, over {size}", bars, "ms")
    bars = {system["title"]: system["ndcg"]["mean"] for system in systems if "ndcg" in system}
    yield _bars(folder / "compare-quality.svg", f"nDCG@10 by article, mean of the query sets, over {size}", bars, "")


def _cold_charts(results: Results, folder: Path) -> Iterator[Path]:
    bars = {"Dateline": results["seconds"], "plain script": results.get("plain_script_seconds")}
    title = "From a new process to the first answer"
    yield _bars(folder / "cold_start.svg", title, {name: value for name, value in bars.items() if value}, "s")


def _serving_charts(results: Results, folder: Path) -> Iterator[Path]:
    points = [(float(clients), load["per_second"]) for clients, load in results["clients"].items()]
    title = f"Answers a second, over {results['passages']:,} passages"
    yield _lines(folder / "serving.svg", title, {"Dateline": points}, "clients at once", "answers a second", logs="x")


def _bars(path: Path, title: str, bars: Mapping[str, float], unit: str) -> Path:
    bar_chart(path, title, bars, unit)
    return path


def _scale_charts(results: Results, folder: Path) -> Iterator[Path]:
    vectors, words = results["vectors"], results["words"]
    series = {
        "dense search": [(row["vectors"], row["p50_ms"]) for row in vectors],
        "exact": [(row["vectors"], row["exact_p50_ms"]) for row in vectors],
        "words": [(row["passages"], row["p50_ms"]) for row in words],
    }
    drawn = {name: points for name, points in series.items() if points}
    yield _lines(
        folder / "scale.svg", "Half of the searches take less, on one core", drawn, "passages", "ms", logs="xy"
    )


def _lines(
    path: Path, title: str, series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str, *, logs: str = ""
) -> Path:
    line_chart(path, title, series, x, y, log_x="x" in logs, log_y="y" in logs)
    return path


# The place in the document, the result file, and what makes the one of the other.
TABLES: dict[str, tuple[str, Callable[[Results], Rows]]] = {
    "build": ("build", _build_table),
    "cold_start": ("cold_start", _cold_table),
    "compare": ("compare", _compare_table),
    "encode": ("encode", _plain_table),
    "scale": ("scale", _plain_table),
    "scale-words": ("scale", lambda results: _plain_table({"words": results["words"]})),
    "serving": ("serving", _serving_table),
    "serving-memory": ("serving", _memory_table),
    "serving-filters": ("serving", _filters_table),
    "update": ("update", _update_table),
}
CHARTS: dict[str, Callable[[Results, Path], Iterator[Path]]] = {
    "build": _build_charts,
    "cold_start": _cold_charts,
    "compare": _compare_charts,
    "scale": _scale_charts,
    "serving": _serving_charts,
}


if __name__ == "__main__":
    main()
