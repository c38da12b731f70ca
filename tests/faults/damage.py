"""What becomes of an index any file of which is damaged: seeded trials, each in a process that may crash.

Run as: python tests/faults/damage.py [--trials 3000] [--seed 7] [--first 0] [--only catalog] [--encoder]

Each trial does one damage to one file of a copy of a small index (lists, a second generation and an unfolded
write-ahead log included) and then, each on a copy of its own:

1. opens it, searches, reads every article. Right answers, or a DatelineError that says what to do; never another
   exception, a crash, or an article that is not what was stored.
2. runs `check`, which has to name the damage where anything could come of it.
3. runs `check --repair`, with no encoder in sight. Whole again, with the answers from before, or refused.
4. where it was refused, follows the advice: a rebuild without sources has to keep every article but those that it
   says are damaged; where nothing of the catalog can be read, a rebuild from sources.

Prints a table of files and what came of them, and a JSON line; exits with 1 where anything went wrong. `--encoder`
damages the exported model that an index carries instead, which takes the real one.
"""

import argparse
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from sample import FakeEncoder, write_jsonl

from index import check
from index import lists as inverted
from index.build import add, rebuild, remove
from index.derived import bring_in_step
from index.errors import DatelineError
from index.generation import carried_encoder, live_generation, other_generations, writer_lock
from index.store import EmbeddedStore
from search.engine import Engine

# So few articles make a trial quick, and their catalog still has pages of every kind.
ARTICLES, LISTED_FROM = 90, 60
# What comes again where the last changes are lost.
REMOVED = "a1"
_SECONDS_A_TRIAL = 120
_TOLD_EVERY = 100
_WORDS = (
    "harbour ferry council budget strike storm bridge school hospital election fishing lobster museum railway"
    " airport court police fire water power forest river island lighthouse market winter summer festival"
).split()
_QUERIES = (
    "ferry strike", "council budget vote", "storm at the harbour", '"night train"', "lobster source:harbour",
    "museum after:2024-03-01", "hospital author:okonjo", "lighthouse island winter", "railway -bridge",
)  # fmt: skip
_ADVICE = ("Run:", "run:", "dateline ", "Restore")

Answers = dict[str, list[str]]
Outcome = dict[str, object]


@dataclass(frozen=True, slots=True)
class Damage:
    """One damage to one file; `file` is its path in the index, `kind` what is done, `at` where or how much."""

    file: str
    kind: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """An index that trials copy, what its articles are, what it answers, and the file that it was built from.

    There are two right `answers`: terms count removed passages until they are made anew.
    """

    root: Path
    source: Path
    articles: dict[str, str]
    answers: tuple[Answers, ...]
    load: Callable[..., object]


# -- the index ---------------------------------------------------------------------------------------------------


def records(count: int, seed: int) -> list[dict]:
    """Articles about a few things each, some of them copies of others."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        about = chance.sample(_WORDS, 4)
        sentences = [f"The {chance.choice(about)} {chance.choice(_WORDS)} was told of the night train number {number}."]
        sentences += [" ".join(chance.choices(_WORDS, k=14)).capitalize() + "." for _ in range(chance.randint(2, 5))]
        found.append(
            {
                "id": f"a{number}", "title": f"{about[0].capitalize()} and {about[1]} in {2000 + number}",
                "text": " ".join(sentences), "published": f"2024-{1 + number % 12:02}-{1 + number % 28:02}",
                "source": chance.choice(["Harbour Wire", "Coastline Press"]), "language": "en",
                "authors": [chance.choice(["Femi Okonjo", "Morag Sillitoe", "Corin Adeyale"])],
                "url": f"https://news.example.org/{number}", "extra": {"desk": about[2], "words": len(sentences)},
            }
        )  # fmt: skip
    # Two copies under other addresses.
    found += [{**found[at], "id": f"copy{at}", "url": f"https://wire.example.org/{at}"} for at in (3, 4)]
    return found


def fake(name: str | None = None, **options: object) -> FakeEncoder:
    """The encoder of the template."""
    return FakeEncoder()


def make_template(folder: Path, articles: int, seed: int) -> Template:
    """An index of two generations, with lists, a document set aside, and changes in a write-ahead log."""
    inverted.EXACT_UP_TO = min(LISTED_FROM, articles // 2)
    root, all_records = folder / "built", records(articles, seed)
    rebuild(root, [str(write_jsonl(folder / "before.jsonl", all_records[: articles // 2]))], fake)
    broken = folder / "broken.json"
    broken.write_text('{"title": "no text"}', "utf-8")
    rebuild(root, [str(write_jsonl(folder / "first.jsonl", all_records[:-6])), str(broken)], fake)
    layout = live_generation(root)
    bring_in_step(layout, afresh=True)  # arrays and lists over all but what comes now
    held = EmbeddedStore.open(root)  # while somebody reads, the log is not folded in
    source = write_jsonl(folder / "all.jsonl", [record for record in all_records if record["id"] != REMOVED])
    add(root, [str(write_jsonl(folder / "last.jsonl", all_records[-6:]))], fake)
    remove(root, [REMOVED])
    shutil.copytree(root, folder / "index")
    held.close()
    if not layout.lists.is_file() or not (folder / "index" / _inside(root, layout.catalog, "-wal")).stat().st_size:
        raise RuntimeError("the template lacks lists or a write-ahead log")
    (folder / "index" / "LOCK.holder").write_text("process 99999999 on elsewhere\n", "utf-8")
    return _observed(Template(folder / "index", source, {}, (), fake))


def make_encoder_template(folder: Path, articles: int, seed: int) -> Template:
    """A small index that carries the real model."""
    from functools import partial

    from index.encoder import load_encoder

    root = folder / "index"
    source = write_jsonl(folder / "all.jsonl", records(articles, seed))
    rebuild(root, [str(source)], partial(load_encoder, kind="fast", beside=carried_encoder(root)))
    return _observed(Template(root, source, {}, (), load_encoder))


def _inside(root: Path, path: Path, ending: str = "") -> str:
    return path.relative_to(root).as_posix() + ending


def _observed(template: Template) -> Template:
    """`template` with what its whole index answers."""
    copy = template.root.with_name("whole")
    shutil.copytree(template.root, copy)
    answers, articles = _asked(copy, template, {})
    if found := check.problems(copy):
        raise RuntimeError(f"the template is not whole: {found}")
    with writer_lock(copy):
        bring_in_step(live_generation(copy), afresh=True)
    again, _ = _asked(copy, template, articles)
    shutil.rmtree(copy)
    return replace(template, answers=(answers, again), articles=articles)


# -- damage ------------------------------------------------------------------------------------------------------


def files_of(root: Path) -> list[str]:
    """The files of the live generation and those beside it."""
    live = live_generation(root).folder
    beside = [root / name for name in ("CURRENT", "LOCK", "LOCK.holder")]
    inside = [path for folder in (live, carried_encoder(root)) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [_inside(root, path) for path in [*beside, *inside] if path.exists()]


def kind_of(file: str) -> str:
    """A file as the table names it: terms have files with names of chance."""
    parts = file.split("/")
    name, folder = parts[-1], parts[-2] if len(parts) > 1 else ""
    if folder.endswith("terms") and not name.startswith((".", "words", "meta")):
        name = f"*{Path(name).suffix}"
    return f"{folder}/{name}" if folder in ("terms", "article-terms", "encoder") else name


def damages(root: Path, trials: int, seed: int, only: str = "") -> Iterator[Damage]:
    """So many damages: each kind once or a few times to every file, then flipped bits and lost pages at random."""
    chance = random.Random(seed)
    files = [file for file in files_of(root) if only in file]
    sizes = {file: (root / file).stat().st_size for file in files}
    every = [Damage(file, kind) for file in files for kind in ("emptied", "deleted", "folder", "swapped", "appended")]
    for file, size in sizes.items():
        every += [Damage(file, "truncated", at) for at in {1, size // 2, size - 1} if 0 < at < size]
        every += [Damage(file, "zeros", at) for at in {0, size // 2} if at < size]
        every += [Damage(file, "flipped", at) for at in {0, 8 * size - 1, 4 * size} if 0 <= at < 8 * size]
    chance.shuffle(every)
    yield from every[:trials]
    weights = [max(1.0, sizes[file] ** 0.5) for file in files]  # large files get more, small ones enough
    for _ in range(trials - len(every)):
        file = chance.choices(files, weights)[0]
        kind = chance.choices(["flipped", "zeros", "truncated"], [8, 3, 1])[0]
        bound = 8 * sizes[file] if kind == "flipped" else sizes[file]
        yield Damage(file, kind, chance.randrange(bound) if bound else 0)


def inflict(root: Path, damage: Damage) -> bool:
    """Does it; says whether anything is other than it was."""
    path = root / damage.file
    before = path.read_bytes()
    match damage.kind:
        case "emptied":
            path.write_bytes(b"")
        case "deleted":
            path.unlink()
            return True
        case "folder":
            path.unlink()
            path.mkdir()
            return True
        case "appended":
            path.write_bytes(before + b"\0garbage" * 16)
        case "truncated":
            path.write_bytes(before[: damage.at])
        case "zeros":
            path.write_bytes(before[: damage.at] + bytes(len(before[damage.at :][:512])) + before[damage.at + 512 :])
        case "flipped":
            changed = bytearray(before)
            if changed:
                changed[damage.at // 8] ^= 1 << damage.at % 8
            path.write_bytes(changed)
        case "swapped":
            other = _other(root, damage.file)
            path.write_bytes(other.read_bytes() if other else before)
    return path.read_bytes() != before


def _other(root: Path, file: str) -> Path | None:
    """The same file of the generation before, or the one there that is most like it."""
    if file == "CURRENT":
        return next((layout.manifest for layout in other_generations(root)), None)
    others = [layout.folder for layout in other_generations(root)]
    inside = Path(*Path(file).parts[2:]) if file.startswith("generations/") else Path("none")
    found = [path for folder in others for path in (folder / inside.parent).glob(f"*{inside.suffix}") if path.is_file()]
    same = [path for path in found if path.name == inside.name]
    return next(iter([*same, *sorted(found)]), None)


# -- a trial -----------------------------------------------------------------------------------------------------


def trial(template: Template, damage: Damage, folder: Path) -> Outcome:
    """What comes of a damage. Runs in a process of its own."""
    logging.disable()
    os.environ["RUST_BACKTRACE"] = "0"  # to write one takes longer than the trial

    def damaged(name: str) -> Path | None:
        shutil.copytree(template.root, folder / name)
        return folder / name if inflict(folder / name, damage) else None

    if not (root := damaged("opened")):
        return {"open": "untouched"}
    opened, told = _opened(root, template)
    outcome: Outcome = {"open": opened, "told": told}
    root = damaged("checked")
    assert root
    found = _checked(root)
    outcome |= {"check": "found" if found else "nothing", "found": found[:3]}
    root = damaged("repaired")
    assert root
    outcome["repair"] = _repaired(root, template)
    if outcome["repair"] == "refused":
        outcome["advice"], outcome["lost"] = _advice_followed(root, template)
    return outcome


def _opened(root: Path, template: Template) -> tuple[str, str]:
    try:
        answers, articles = _asked(root, template, template.articles)
    except DatelineError as error:
        return ("refused" if any(sign in str(error) for sign in _ADVICE) else "no advice"), str(error)
    if wrong := [id for id, article in articles.items() if id != REMOVED and template.articles.get(id) != article]:
        return "wrong", f"article {wrong[0]}"
    if articles.keys() != template.articles.keys():
        return "older", f"{len(articles)} articles for {len(template.articles)}"
    return ("right" if answers in template.answers else "ranked otherwise"), ""


def _checked(root: Path) -> list[str]:
    try:
        return check.problems(root)
    except DatelineError as error:
        return [str(error)]


def _repaired(root: Path, template: Template) -> str:
    try:
        found = check.repair(root)
    except DatelineError as error:
        return "refused" if any(sign in str(error) for sign in _ADVICE) else f"no advice: {error}"
    if left := check.problems(root):
        return f"not whole after repair: {left}"
    opened, told = _opened(root, template)
    if opened in ("right", "ranked otherwise"):
        return "repaired" if found else "whole"
    if opened == "older" and any("is lost" in problem for problem in found):
        return "repaired"
    return f"{opened} after repair: {told}"


def _advice_followed(root: Path, template: Template) -> tuple[str, int]:
    """The end of the ways that are advised, and how many articles are lost."""
    try:
        report = rebuild(root, [], template.load)
        way = "salvaged"
    except DatelineError:
        report = rebuild(root, [str(template.source)], template.load)
        way = "from sources"
    if left := check.problems(root):
        return f"not whole after {way}: {left}", 0
    _, articles = _asked(root, template, template.articles)
    if any(template.articles[id] != article for id, article in articles.items()):
        return f"wrong after {way}", 0
    lost = len(template.articles) - len(articles)
    set_aside = sum("is damaged in the catalog" in document.reason for document in report.set_aside)
    if way == "salvaged" and set_aside < lost:
        return f"{lost} lost and {set_aside} told of", lost
    return way, lost


def _asked(root: Path, template: Template, known: dict[str, str]) -> tuple[Answers, dict[str, str]]:
    """The ids that queries find, and every article that was found or is `known` and there, as JSON by id."""
    articles: dict[str, str] = {}
    answers: Answers = {}

    def seen(article: object) -> str:
        fields = asdict(article)  # type: ignore[call-overload]
        articles[fields["id"]] = json.dumps(fields, sort_keys=True)
        return str(fields["id"])

    with Engine.open(root, template.load) as engine:
        for query in _QUERIES:
            hits = engine.search(query, size=20).hits
            answers[query] = [seen(hit.article) for hit in hits]
            if any(hit.text != hit.article.text[hit.passage.start : hit.passage.end] for hit in hits):
                raise AssertionError(f"a hit for {query} shows another text than its passage")
        answers["latest"] = [seen(article) for article in engine.latest(5)]
        answers["matches"] = [seen(hit.article) for hit in engine.matches("ferry").hits]
        answers["suggested"] = [suggestion.text for suggestion in engine.suggest("har")]
        for at, id in enumerate(sorted(known)):
            if view := engine.article(id, "" if at % 20 else "ferry"):
                seen(view.article)
            if at % 20 == 0:
                answers[f"like {id}"] = [seen(similar.article) for similar in engine.similar(id, 3) or []]
        if not known:
            numbers = engine.store.newest(engine.store.scope(_no_filters()))
            everything = engine.store.articles(engine.store.article_numbers(numbers).tolist())
            for article in everything.values():
                seen(article)
            return _asked(root, template, articles)
    return answers, articles


def _no_filters() -> object:
    from index.filters import Filters

    return Filters()


# -- all of them -------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], Outcome]) -> Outcome:
    """What `work` returns, done in a process of its own, or what became of that."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        import signal

        signal.alarm(_SECONDS_A_TRIAL)
        try:
            outcome = work()
        except BaseException as error:
            outcome = {
                "open": "traceback",
                "told": f"{type(error).__name__}: {error}\n{traceback.format_exc()[-1500:]}",
            }
        with os.fdopen(write, "w") as pipe:
            pipe.write(json.dumps(outcome))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(told) if told else {"open": "crash", "told": f"status {status}"}


def failure(outcome: Outcome) -> str:
    """What is wrong with an outcome, empty where nothing is."""
    opened, told, repair = str(outcome["open"]), outcome.get("told", ""), outcome.get("repair")
    found = outcome.get("check") == "found"
    wrong = {
        f"{opened}: {told}": opened not in ("right", "ranked otherwise", "older", "refused", "untouched"),
        f"{opened} when opened, and check finds nothing: {told}": opened not in ("right", "untouched") and not found,
        f"repair sees nothing of {outcome.get('found')}": found and repair == "whole",
        str(repair): repair not in (None, "repaired", "whole", "refused"),
        str(outcome.get("advice")): repair == "refused" and outcome["advice"] not in ("salvaged", "from sources"),
    }
    return next((why for why, true in wrong.items() if true), "")


def counted(outcome: Outcome) -> list[str]:
    """The columns of the table that a trial counts in."""
    if outcome["open"] == "untouched":
        return ["untouched"]
    columns = ["trials", f"open: {outcome['open']}"]
    if "check" in outcome:
        columns.append("check: found" if outcome["check"] == "found" else "harmless")
    if outcome.get("repair") in ("repaired", "refused"):
        columns.append(str(outcome["repair"]))
    if outcome.get("repair") == "refused":
        columns.append(str(outcome.get("advice")))
    return columns


COLUMNS = (
    "trials", "open: right", "open: ranked otherwise", "open: older", "open: refused", "check: found", "harmless",
    "repaired", "refused", "salvaged", "from sources",
)  # fmt: skip


def table(counts: dict[str, Counter[str]]) -> str:
    """Files and what came of damage to them."""
    lines = ["| file | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    total: Counter[str] = sum(counts.values(), Counter())
    for file, row in [*sorted(counts.items()), ("all", total)]:
        lines.append(f"| {file} | " + " | ".join(str(row[column]) for column in COLUMNS) + " |")
    return "\n".join(lines)


@dataclass(slots=True)
class Report:
    """What came of all trials."""

    counts: dict[str, Counter[str]]
    failures: list[str]
    lost: int


def run(template: Template, folder: Path, trials: int, seed: int, *, first: int = 0, only: str = "") -> Report:
    """Does the trials from the `first` on up to this number."""
    report = Report({}, [], 0)
    for number, damage in enumerate(damages(template.root, trials, seed, only)):
        if number < first:
            continue
        place = folder / f"trial-{number}"
        place.mkdir()
        outcome = in_child(lambda: trial(template, damage, place))  # noqa: B023 - called at once
        shutil.rmtree(place, ignore_errors=True)
        report.counts.setdefault(kind_of(damage.file), Counter()).update(counted(outcome))
        report.lost += int(str(outcome.get("lost", 0)))
        if wrong := failure(outcome):
            report.failures.append(f"{number} {damage}: {wrong}")
            print(report.failures[-1], file=sys.stderr, flush=True)
        if (number + 1) % _TOLD_EVERY == 0:
            print(figures(report), file=sys.stderr, flush=True)
    return report


def figures(report: Report) -> str:
    """All trials as a JSON line."""
    total: Counter[str] = sum(report.counts.values(), Counter())
    return json.dumps({**total, "articles_lost": report.lost, "failures": len(report.failures)})


def template_in_child(folder: Path, make: Callable[[Path, int, int], Template], articles: int, seed: int) -> Template:
    """A template made in another process: threads of FAISS would not survive the forks of this one."""
    told = in_child(lambda: {"open": "made", **_as_json(make(folder, articles, seed))})
    if told["open"] != "made":
        raise RuntimeError(str(told["told"]))
    load = fake if make is make_template else _real_load()
    inverted.EXACT_UP_TO = min(LISTED_FROM, articles // 2)
    return Template(Path(str(told["root"])), Path(str(told["source"])), told["articles"], tuple(told["answers"]), load)  # type: ignore[arg-type]


def _as_json(template: Template) -> Outcome:
    return {
        "root": str(template.root), "source": str(template.source),
        "articles": template.articles, "answers": list(template.answers),
    }  # fmt: skip


def _real_load() -> Callable[..., object]:
    from index.encoder import load_encoder

    return load_encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--encoder", action="store_true")
    parser.add_argument("--first", type=int, default=0, help="the first trial to do")
    parser.add_argument("--only", default="", help="only files with this in their path")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make = make_encoder_template if chosen.encoder else make_template
        template = template_in_child(folder, make, 12 if chosen.encoder else ARTICLES, chosen.seed)
        only = "encoder/" if chosen.encoder else chosen.only
        report = run(template, folder, chosen.trials, chosen.seed, first=chosen.first, only=only)
    print(table(report.counts))
    print(figures(report))
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    main()
