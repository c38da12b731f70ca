"""The commands that search."""

import re
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from index.cli import COMMANDS as INDEX_COMMANDS
from index.command_line import (
    counted,
    encoder_option,
    index_option,
    json_option,
    run_command_line,
    store_option,
    write_json,
)
from index.filters import Filters
from search.query import COLLAPSES, FUSIONS, MAX_RESULTS, MAX_SIZE, MODES, SORTS, SearchRequest

if TYPE_CHECKING:
    from search.engine import Engine
    from search.hits import Hit, SearchResult
    from search.rerank import Reranker

Command = TypeVar("Command", bound=Callable[..., Any])

_TEXT_WIDTH = 100


def _ranking_options(command: Command) -> Command:
    for option in (
        click.option("--rerank-seconds", type=click.FloatRange(0), default=1.0, show_default=True, metavar="SECONDS",
                     help="Time that the cross-encoder may take for a search."),
        click.option("--rerank-top", type=click.IntRange(1, MAX_RESULTS), default=50, show_default=True,
                     metavar="N", help="Results that the cross-encoder sees."),
        click.option("--rerank", metavar="MODEL", help="Let this cross-encoder order the first results."),
        click.option("--fusion", type=click.Choice(FUSIONS), default="share", show_default=True,
                     help="How hybrid search joins its legs."),
        click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True,
                     help="Which legs search."),
    ):  # fmt: skip
        command = option(command)
    return command


def _reranker(name: str | None, top: int, seconds: float) -> "Reranker | None":
    from search.rerank import Reranker

    return Reranker.load(name, top, seconds) if name else None


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
@click.option("--as-of", metavar="DATE", help='The "now" of fresh news and of words such as "last week".')
@click.option("--no-date-words", is_flag=True, help='Do not read "last week" and its like as a period.')
@click.option("--no-spelling", is_flag=True, help="Do not correct words that the index does not know.")
@_ranking_options
@encoder_option
@store_option
@index_option
@json_option
def search(
    query: tuple[str, ...], size: int, page: int, first_day: str | None, last_day: str | None,
    sources: tuple[str, ...], excluded_sources: tuple[str, ...], authors: tuple[str, ...], languages: tuple[str, ...],
    sort: Any, collapse: Any, explain: bool, as_of: str | None, no_date_words: bool, no_spelling: bool,
    mode: Any, fusion: Any, rerank: str | None, rerank_top: int, rerank_seconds: float, encoder: Any, root: Path,
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Search for QUERY: ranked passages with where they come from.

    "quoted words" must stand side by side; -word leaves out articles with that word; source:, author:,
    before:, after: and intitle: limit the search, and so do "last week" and its like.
    """
    from search.query import check, interpret

    filters = Filters(first_day, last_day, sources, excluded_sources, authors, languages)
    request = check(
        SearchRequest(
            " ".join(query), size, page, filters, sort, collapse, mode, fusion, explain, as_of,
            date_words=not no_date_words, spelling=not no_spelling,
        )
    )  # fmt: skip
    interpret(request)  # a bad query is found before the model is loaded
    reranker = _reranker(rerank, rerank_top, rerank_seconds)
    engine = _engine(root, store, encoder, reranker, embeds=mode != "lexical")
    result = engine.search(request)
    if as_json:
        from search.results import result_json

        write_json(result_json(result))
    else:
        _show(result)


def _engine(root: Path, store: str | None, kind: Any, reranker: "Reranker | None", *, embeds: bool) -> "Engine":
    """The engine for one search: its model is loaded while the rest is imported and opened, if it is needed at all."""
    from index.encoder import EncoderOnDemand, load_encoder
    from index.place import place_of

    place = place_of(root, store)
    load = partial(load_encoder, kind=kind, beside=place.beside)
    encoder = EncoderOnDemand(place.model(), load)
    if embeds:
        encoder.begin_loading()
    from search.engine import Engine

    return Engine.open(place, load, reranker, encoder=encoder)


@click.command()
@click.option(
    "--queries",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help='JSONL of {"id", "text"}, and "date" if known.',
)
@click.option(
    "--qrels",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="TREC relevance labels of articles.",
)
@click.option("--run", "run_file", type=click.File("w", encoding="utf-8", lazy=True), help="Write a TREC run here.")
@click.option("--run-name", default="dateline", show_default=True, help="Name of the run in its last column.")
@click.option("--as-of", metavar="DATE|query", help='The "now" of fresh news and date words, or "query": each its own.')
@click.option("--against-index", type=click.Path(path_type=Path), metavar="DIR", help="Compare with another index.")
@click.option(
    "--against",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Compare with another setting, such as mode=dense; may be repeated.",
)
@click.option(
    "--show",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Queries to show that a comparison won, and that it lost.",
)
@_ranking_options
@encoder_option
@store_option
@index_option
@json_option
def evaluate(
    queries: Path, qrels: Path, run_file: Any, run_name: str, as_of: str | None, against_index: Path | None,
    against: tuple[str, ...], show: int, mode: Any, fusion: Any, rerank: str | None, rerank_top: int,
    rerank_seconds: float, encoder: Any, root: Path, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure the index at hand on labelled queries, alone or against another index or other settings."""
    from index.encoder import load_encoder
    from index.place import place_of
    from search.comparison import compare, comparison_json, comparison_lines, labels_of, with_settings
    from search.engine import Engine
    from search.evaluate import evaluate as measure
    from search.evaluate import evaluation_json, evaluation_lines, trec_lines

    own_dates = as_of == "query"
    request = SearchRequest("", mode=mode, fusion=fusion, as_of=None if own_dates else as_of)
    rival = with_settings(request, against)
    other = against_index or root
    labels = labels_of(request, rival, (root, other)) if against or against_index else None
    place = place_of(root, store)
    load = cache(
        partial(load_encoder, kind=encoder, beside=place.beside)
    )  # both indexes share the model if they were built with one
    engine = Engine.open(place, load, _reranker(rerank, rerank_top, rerank_seconds))
    outcome = measure(engine, queries, qrels, request, own_dates=own_dates)
    if run_file:
        run_file.writelines(trec_lines(outcome.run, run_name))
    settings = {"mode": mode, "fusion": fusion}
    if labels is None:
        if as_json:
            write_json(settings | evaluation_json(outcome))
        else:
            click.echo("\n".join((f"queries: {outcome.queries:,}, {mode}", *evaluation_lines(outcome))))
        return
    rival_engine = Engine.open(against_index, load) if against_index else engine
    measured = measure(rival_engine, queries, qrels, rival, own_dates=own_dates and rival.as_of is None)
    comparison = compare(outcome, measured, labels)
    if as_json:
        write_json(settings | comparison_json(comparison, show))
    else:
        click.echo("\n".join(comparison_lines(comparison, show)))


COMMANDS: tuple[click.Command, ...] = (search, evaluate, *INDEX_COMMANDS)


def main() -> None:
    """Runs the commands of this room and of those below it."""
    run_command_line(COMMANDS, whole=False)


def _show(result: "SearchResult") -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else _TEXT_WIDTH, highlight=False)
    for note in result.interpreted.notes:
        console.print(Text(note, style="italic"))
    if not result.hits:
        beyond = result.request.page > 1 and result.total
        console.print("No more results." if beyond else "Nothing found. Try other words, or fewer filters.")
        return
    for position, hit in enumerate(result.hits):
        if hit.score < result.gate and (position == 0 or result.hits[position - 1].score >= result.gate):
            console.print(Text("Weaker matches", style="italic"))
        console.print(Text.assemble((f"{hit.rank:>2}. ", "dim"), (hit.article.title, "bold")))
        console.print(Padding(Text(_origin(hit), style="cyan"), (0, 0, 0, 4)))
        passage = Text(" ".join(hit.text.split("\n")))
        passage.stylize("underline", *hit.best_sentence)
        for start, end in hit.highlights:
            passage.stylize("bold yellow", start, end)
        console.print(Padding(passage, (0, 0, 0, 4)))
        if hit.signals:
            for heading, figures in ((f"score {hit.score:g} =", hit.shares), ("measured", hit.signals)):
                shown = "  ".join(f"{name} {value:g}" for name, value in figures.items())
                console.print(Padding(Text(f"{heading}  {shown}", style="dim"), (0, 0, 0, 4)))
        console.print()
    total = f"{result.total:,}{'' if result.total_is_exact else ' or more'}"
    console.print(Text(f"{total} matching articles, {result.took_ms:.0f} ms", style="dim"))


def _origin(hit: "Hit") -> str:
    article = hit.article
    more = f"{counted(hit.more_passages, 'more passage')}" if hit.more_passages else None
    copies = f"{len(hit.copies):,} {'copy' if len(hit.copies) == 1 else 'copies'}" if hit.copies else None
    parts = (article.source, article.day, ", ".join(article.authors), article.url or f"id {article.id}", more, copies)
    return " · ".join(part for part in parts if part)
