"""The commands that fill and tend an index. Heavy libraries are loaded by the command that needs them."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.backup_cli import backup, restore, rollback
from index.command_line import (
    Command,
    counted,
    encoder_option,
    index_option,
    json_option,
    quiet_option,
    run_command_line,
    step_back,
    store_option,
    write_json,
)
from index.errors import StoreUnavailable, UsageError

if TYPE_CHECKING:
    from index.build import Report
    from index.milvus.address import StoreAddress

_SHOWN_SET_ASIDE = 10
# Reading keeps up with the encoder on far fewer.
_MOST_READERS = 8


def _run_options(command: Command) -> Command:
    for option in (
        click.option("--strict", is_flag=True, help="Exit with 1 when documents were set aside."),
        click.option("--workers", type=click.IntRange(1, 64), default=min(os.cpu_count() or 1, _MOST_READERS),
                     show_default="one a core", help="Processes that read documents."),
        click.option("--on", metavar="CLUSTER",
                     help="Read and embed on a Ray cluster: ray://HOST:10001, or auto on one of its machines."),
        click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE",
                     help="Of feeds and sitemaps, only what is dated this day or later."),
        click.option("--delay", type=click.FloatRange(0, 3600), metavar="SECONDS",
                     help="Wait this long between two requests to one site.  [default: 1]"),
        click.option("--allow-network", "networks", multiple=True, metavar="NETWORK",
                     help="Fetch from addresses that are not of the public internet, too: 10.0.0.0/8, say, or"
                          " 127.0.0.1; may be repeated."),
        click.option("--map-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
                     help="YAML or JSON file that says which of our fields is which of theirs."),
        click.option("--map", "mapping", multiple=True, metavar="OURS=THEIRS",
                     help="A field of records or a column of tables, such as title=headline; may be repeated."),
        quiet_option, json_option, store_option, index_option, encoder_option,
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--model", metavar="NAME_OR_PATH", help="SentenceTransformer to embed with.")
@click.option("--passage-words", type=click.IntRange(20, 1000), help="Words in a passage, about.  [default: 150]")
@click.option(
    "--recall-target",
    type=click.FloatRange(0.5, 1),
    metavar="SHARE",
    help="Of the ten nearest passages, the share that a dense search over very many finds.  [default: 0.99]",
)
@_run_options
def rebuild(
    sources: tuple[str, ...], model: str | None, passage_words: int | None, recall_target: float | None, encoder: Any,
    root: Path, store: str | None, as_json: bool, quiet: bool, strict: bool, on: str | None, **reading: Any,
) -> None:  # fmt: skip
    """Build a new index from SOURCEs and switch to it.

    SOURCE is a file or folder of .txt, .md, .html, .json, .jsonl, .csv, .tsv, .parquet or .warc, also
    gzipped; the http(s) address of an article, a feed or a sitemap; or - for JSONL on standard input.
    Without SOURCE, the stored articles are indexed anew, with another model or passage length if given.
    """
    from index.build import rebuild as run
    from index.encoder import load_encoder
    from index.generation import carried_encoder
    from index.milvus.commands import target

    step_back()
    _check_model(model)
    address = target(store, quiet=quiet)
    intake, settings = _intake(**reading), _settings(passage_words)
    load = partial(load_encoder, kind=encoder, beside=carried_encoder(root), many=True)
    with _elsewhere(intake, on) as intake, _progress(sources, quiet) as progress:
        report = run(
            root, sources, load,
            model=model, settings=settings, recall_target=recall_target, intake=intake, progress=progress,
        )  # fmt: skip
    _tell(report, "Built", root, address, as_json=as_json, quiet=quiet, strict=strict)


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--retry", is_flag=True, help="Read again what was set aside before.")
@_run_options
def add(
    sources: tuple[str, ...], retry: bool, encoder: Any, root: Path, store: str | None,
    as_json: bool, quiet: bool, strict: bool, on: str | None, **reading: Any,
) -> None:  # fmt: skip
    """Add the articles of SOURCEs to the live index, or update them.

    SOURCE is what rebuild takes. A feed that was read before costs one request while it is unchanged.
    """
    from index.build import add as run
    from index.encoder import load_encoder
    from index.generation import carried_encoder
    from index.milvus.commands import target

    if not sources and not retry:
        raise UsageError("Say what to add: a file, a folder or a web address, or --retry.")
    step_back()
    address = target(store, quiet=quiet)
    intake = _intake(**reading)
    load = partial(load_encoder, kind=encoder, beside=carried_encoder(root), many=True)
    with _elsewhere(intake, on) as intake, _progress(sources, quiet) as progress:
        report = run(root, sources, load, retry=retry, intake=intake, progress=progress)
    _tell(report, "Added", root, address, as_json=as_json, quiet=quiet, strict=strict)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="ID...")
@index_option
@store_option
@json_option
@quiet_option
def remove(names: tuple[str, ...], root: Path, store: str | None, as_json: bool, quiet: bool) -> None:
    """Remove articles by id or URL."""
    from index.build import remove as run
    from index.milvus.commands import target

    step_back()
    address = target(store, quiet=quiet)
    removed = run(root, names)
    with _publication(root, address, quiet=quiet) as done:
        if as_json:
            write_json({"removed": removed, **done})
        elif not quiet:
            click.echo(f"Removed {counted(len(removed), 'article')}.")


@click.command()
@click.option("--set-aside", is_flag=True, help="List the documents that could not be read, and why.")
@index_option
@store_option
@json_option
def stats(set_aside: bool, root: Path, store: str | None, as_json: bool) -> None:
    """Say what is in the index, or with --store in what was published."""
    from index.place import place_of
    from index.restore import kept_generation
    from index.stats import documents_set_aside, index_stats

    if set_aside:
        documents = documents_set_aside(root)
        if as_json:
            write_json([asdict(document) for document in documents])
        for document in () if as_json else documents:
            click.echo(f"{document.source}: {document.reason}")
        return
    if store:
        figures = place_of(root, store).open().stats()
    else:
        kept = kept_generation(root)
        figures = {**index_stats(root), "kept": kept.folder.name if kept else None}
    if as_json:
        write_json(figures)
        return
    for name, value in figures.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name.replace('_', ' '):>15}  {shown}")


@click.command()
@click.option("--repair", is_flag=True, help="Build damaged parts anew from the stored articles.")
@index_option
@store_option
@json_option
def check(repair: bool, root: Path, store: str | None, as_json: bool) -> None:
    """Say whether the index, or a backup, is whole, and with --store whether a server holds all of it."""
    from index.backup_record import backup_in, backup_problems
    from index.check import problems
    from index.check import repair as mend

    step_back()
    sealed = None if repair else backup_in(root)
    found = mend(root) if repair else backup_problems(sealed) if sealed else problems(root)
    left = problems(root) if repair and found else found
    if store and not sealed and not left:
        lacking, left = _checked_store(root, store, repair=repair)
        found += lacking
    if as_json:
        write_json({"ok": not left, "problems": left, "repaired": found if repair else []})
    else:
        for problem in found:
            click.echo(f"{'Repaired' if repair else 'Problem'}: {problem}")
        if sealed:
            click.echo("The backup is whole." if not left else "The backup is damaged. Take another one.")
        else:
            way_out = f"Run: dateline check --repair{', with the same --store' if store else ''}"
            click.echo("The index is whole." if not left else f"The index is damaged. {way_out}")
    if left:
        sys.exit(1)


@click.command()
@click.option(
    "-o", "--output", type=click.File("w", encoding="utf-8"), default="-", help="File to write.  [default: stdout]"
)
@index_option
def export(output: Any, root: Path) -> None:
    """Write all articles as JSONL, which rebuild and add read."""
    from index.article import to_record
    from index.catalog import Catalog
    from index.generation import live_generation

    catalog = Catalog.snapshot(live_generation(root).catalog)
    try:
        for article in catalog.all_articles():
            output.write(json.dumps(to_record(article), ensure_ascii=False) + "\n")
    finally:
        catalog.close()


COMMANDS: tuple[click.Command, ...] = (rebuild, add, remove, stats, check, export, backup, restore, rollback)


def main() -> None:
    """Runs the commands of this room."""
    run_command_line(COMMANDS, whole=False)


def _progress(sources: Sequence[str], quiet: bool) -> Any:
    from index.progress import progress_on_stderr
    from index.reading.files import total_weight

    return progress_on_stderr(total_weight(sources) if sources else None, quiet=quiet)


def _intake(
    workers: int, mapping: tuple[str, ...], map_file: Path | None, delay: float | None, since: datetime | None,
    networks: tuple[str, ...],
) -> Any:  # fmt: skip
    from index.build import Intake
    from index.fetching import FetchSettings
    from index.fetching.addresses import network_of
    from index.reading.fields import FieldMap

    fetching = FetchSettings(
        since=since.date().isoformat() if since else None, networks=tuple(map(network_of, networks))
    )
    if delay is not None:
        fetching = replace(fetching, delay=delay)
    return Intake(workers, FieldMap.parse(mapping, map_file), fetching)


@contextmanager
def _elsewhere(intake: Any, cluster: str | None) -> Iterator[Any]:
    """The same intake, on a cluster if one is named."""
    if cluster is None:
        yield intake
        return
    from index.distributed.cluster import connected

    with connected(cluster) as elsewhere:
        yield replace(intake, elsewhere=elsewhere)


@contextmanager
def _publication(root: Path, address: "StoreAddress | None", *, quiet: bool) -> Iterator[dict[str, Any]]:
    """Publishes to a server, if there is one; what is inside is done in any case, then a failure is told."""
    from index.milvus.commands import published

    try:
        done = {"published": published(root, address, quiet=quiet)} if address else {}
    except StoreUnavailable:
        yield {"published": None}
        raise
    yield done


def _checked_store(root: Path, store: str, *, repair: bool) -> tuple[list[str], list[str]]:
    """What a server lacked, and what it still lacks."""
    from index.milvus.address import StoreAddress
    from index.milvus.publishing import differences, publish

    address = StoreAddress.parse(store)
    lacking = differences(root, address)
    if repair and lacking:
        publish(root, address, thoroughly=True)
        return lacking, differences(root, address)
    return lacking, lacking


def _settings(passage_words: int | None) -> Any:
    from index.passages import PassageSettings

    return PassageSettings.about(passage_words) if passage_words else None


def _check_model(model: str | None) -> None:
    if model is not None and not model.strip():
        raise UsageError("--model needs the name or folder of a SentenceTransformer.")


def _tell(
    report: "Report", done: str, root: Path, address: "StoreAddress | None", *,
    as_json: bool, quiet: bool, strict: bool,
) -> None:  # fmt: skip
    with _publication(root, address, quiet=quiet) as published:
        _tell_what_was_done(report, done, published, as_json=as_json, quiet=quiet)
    if strict and report.set_aside:
        sys.exit(1)


def _tell_what_was_done(report: "Report", done: str, published: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        set_aside = [{"source": document.source, "reason": document.reason} for document in report.set_aside]
        write_json({**asdict(report), "set_aside": set_aside, **published})
    elif not quiet:
        click.echo(
            f"{done} {counted(report.articles, 'article')} in {counted(report.passages, 'passage')}"
            f" ({report.reused_passages:,} with a known vector) in {report.seconds:.1f} s."
        )
    if report.set_aside and not quiet:
        click.echo(f"{counted(len(report.set_aside), 'document')} set aside:", err=True)
        for document in report.set_aside[:_SHOWN_SET_ASIDE]:
            click.echo(f"  {document.source}: {document.reason}", err=True)
        if len(report.set_aside) > _SHOWN_SET_ASIDE:
            click.echo(f"  and {len(report.set_aside) - _SHOWN_SET_ASIDE:,} more", err=True)
