"""The commands that search."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from index.cli import COMMANDS as INDEX_COMMANDS
from index.cli import counted, index_option, json_option, run_command_line, write_json
from index.filters import Filters
from search.query import COLLAPSES, FUSIONS, MAX_SIZE, MODES, SORTS, SearchRequest

if TYPE_CHECKING:
    from search.engine import Hit, SearchResult

Command = TypeVar("Command", bound=Callable[..., Any])

_TEXT_WIDTH = 100


def _ranking_options(command: Command) -> Command:
    for option in (
        click.option("--fusion", type=click.Choice(FUSIONS), default="share", show_default=True,
                     help="How hybrid search joins its legs."),
        click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True,
                     help="Which legs search."),
    ):  # fmt: skip
        command = option(command)
    return command


class _QueryCommand(click.Command):
    """A command whose argument may hold "-word", which is not a row of short options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A space in front makes such a word an argument."""
        return super().parse_args(ctx, [f" {word}" if _EXCLUDED_WORD.fullmatch(word) else word for word in args])


_EXCLUDED_WORD = re.compile(r"-(?:[^\W\d_]{2}.*|\".*)", re.DOTALL)


@click.command(cls=_QueryCommand)
@click.argument("query", nargs=-1, required=True)
@click.option("-k", "--size", type=click.IntRange(1, MAX_SIZE), default=10, show_default=True, help="Results a page.")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@click.option("--from", "first_day", metavar="DATE", help="Published on this day or later.")
@click.option("--to", "last_day", metavar="DATE", help="Published on this day or earlier.")
@click.option("--source", "sources", multiple=True, help="Only from this publisher; may be repeated.")
@click.option("--exclude-source", "excluded_sources", multiple=True, help="Not from this publisher; may be repeated.")
@click.option("--author", "authors", multiple=True, help="Only by this author; may be repeated.")
@click.option("--language", "languages", multiple=True, help="Only in this language, such as en; may be repeated.")
@click.option("--sort", type=click.Choice(SORTS), default="relevance", show_default=True)
@click.option("--collapse", type=click.Choice(COLLAPSES), default="article", show_default=True,
              help="One result an article or a story, or every passage.")  # fmt: skip
@click.option("--explain", is_flag=True, help="Show what each score is made of.")
@_ranking_options
@index_option
@json_option
def search(
    query: tuple[str, ...], size: int, page: int, first_day: str | None, last_day: str | None,
    sources: tuple[str, ...], excluded_sources: tuple[str, ...], authors: tuple[str, ...], languages: tuple[str, ...],
    sort: Any, collapse: Any, explain: bool, mode: Any, fusion: Any, root: Path, as_json: bool,
) -> None:  # fmt: skip
    """Search for QUERY: ranked passages with where they come from.

    "quoted words" must stand side by side; -word leaves out articles with that word.
    """
    from search.engine import Engine
    from search.query import check, interpret
    from search.results import result_json

    filters = Filters(first_day, last_day, sources, excluded_sources, authors, languages)
    request = check(SearchRequest(" ".join(query), size, page, filters, sort, collapse, mode, fusion, explain))
    interpret(request.query)  # a bad query is found before the model is loaded
    engine = Engine.open(root)
    result = engine.search(request)
    if as_json:
        write_json(result_json(result))
    else:
        _show(result)


@click.command()
@click.option(
    "--queries",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help='JSONL of {"id", "text"}.',
)
@click.option(
    "--qrels",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="TREC relevance labels of articles.",
)
@click.option("--run", "run_file", type=click.File("w", encoding="utf-8", lazy=True), help="Write a TREC run here.")
@_ranking_options
@index_option
@json_option
def evaluate(queries: Path, qrels: Path, run_file: Any, mode: Any, fusion: Any, root: Path, as_json: bool) -> None:
    """Measure the index at hand on labelled queries."""
    from search.engine import Engine
    from search.evaluate import evaluate as measure
    from search.evaluate import trec_lines

    outcome = measure(Engine.open(root), queries, qrels, SearchRequest("", mode=mode, fusion=fusion))
    if run_file:
        run_file.writelines(trec_lines(outcome.run))
    latency = {"p50": outcome.p50_ms, "p95": outcome.p95_ms}
    if as_json:
        write_json(
            {"queries": outcome.queries, "mode": mode, "fusion": fusion, **outcome.measures, "latency_ms": latency}
        )
        return
    click.echo(f"{counted(outcome.queries, 'query').replace('querys', 'queries')}, {mode}")
    for name, value in outcome.measures.items():
        click.echo(f"{name:>12}  {value:.4f}")
    click.echo(f"{'latency':>12}  p50 {outcome.p50_ms:.1f} ms, p95 {outcome.p95_ms:.1f} ms")


COMMANDS: tuple[click.Command, ...] = (search, evaluate, *INDEX_COMMANDS)


def main() -> None:
    """Runs the commands of this room and of those below it."""
    run_command_line(COMMANDS)


def _show(result: "SearchResult") -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else _TEXT_WIDTH, highlight=False)
    for note in result.interpreted.notes:
        console.print(Text(note, style="italic"))
    if not result.hits:
        console.print("Nothing found. Try other words, or fewer filters.")
        return
    for hit in result.hits:
        console.print(Text.assemble((f"{hit.rank:>2}. ", "dim"), (hit.article.title, "bold")))
        console.print(Padding(Text(_origin(hit), style="cyan"), (0, 0, 0, 4)))
        passage = Text(" ".join(hit.text.split("\n")))
        for start, end in hit.highlights:
            passage.stylize("bold yellow", start, end)
        console.print(Padding(passage, (0, 0, 0, 4)))
        if hit.signals:
            figures = "  ".join(f"{name} {value:g}" for name, value in hit.signals.items())
            console.print(Padding(Text(f"score {hit.score:g}  {figures}", style="dim"), (0, 0, 0, 4)))
        console.print()
    total = f"{result.total:,}{'' if result.total_is_exact else ' or more'}"
    console.print(Text(f"{total} matching articles, {result.took_ms:.0f} ms", style="dim"))


def _origin(hit: "Hit") -> str:
    article = hit.article
    more = f"{counted(hit.more_passages, 'more passage')}" if hit.more_passages else None
    copies = f"{len(hit.copies):,} {'copy' if len(hit.copies) == 1 else 'copies'}" if hit.copies else None
    parts = (article.source, article.day, ", ".join(article.authors), article.url or f"id {article.id}", more, copies)
    return " · ".join(part for part in parts if part)
