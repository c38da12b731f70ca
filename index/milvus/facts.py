"""What a generation on a server says of itself: the manifest of a corpus that has no files."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from index.catalog import Counts
from index.encoder import ModelIdentity
from index.errors import MEND_STORE, IndexDamaged, IndexMissing, IndexOutdated
from index.milvus.client import Server
from index.milvus.rows import FACTS, joined, parts_of, text_keys
from index.milvus.tables import Tables

STORE_FORMAT = 1
"""Of the collections; another one means to publish into new ones."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reader has to know of a generation, written last: all rows that it speaks of are there.

    `change`, `articles`, `passages` and `set_aside` are the catalog's; `last_article` the highest number of
    an article then. `passages_ever` and `articles_ever` are what frequencies count, `mean_length` and
    `mean_article_length` words. `first_day` and `last_day` are ordinals, 0 where no article has a day. `index` is the
    kind of vector index, `published` the moment in milliseconds of the epoch from which on all rows can be seen,
    `least` how many passages are there whatever a writer is doing. Passages up to the number `sealed` were there
    when the generation was finished: a server forgets them all together, or none.
    """

    generation: str
    change: int
    model: ModelIdentity
    articles: int
    passages: int
    set_aside: int
    last_article: int
    passages_ever: int
    articles_ever: int
    mean_length: float
    mean_article_length: float
    first_day: int
    last_day: int
    index: str
    published: int
    least: int
    sealed: int
    stats: dict[str, Any] = field(default_factory=dict)
    format: int = STORE_FORMAT

    @property
    def counts(self) -> Counts:
        """How much is in it."""
        return Counts(self.articles, self.passages, self.set_aside, self.change)


def write_facts(server: Server, tables: Tables, facts: Facts) -> None:
    """Says that all is there."""
    server.upsert(tables.texts, parts_of(FACTS, json.dumps(asdict(facts), ensure_ascii=False)))


def live_facts(server: Server) -> tuple[Tables, Facts]:
    """The generation that is live on a server, and its facts. Raises IndexMissing, and what `read_facts` raises."""
    name = server.target(server.address.collection)
    facts = read_facts(server, Tables(name)) if name else None
    if name is None or facts is None:
        raise IndexMissing(
            f"Nothing is published at {server.address}. Publish with: dateline rebuild SOURCE --store {server.address}"
        )
    return Tables(name), facts


def read_facts(server: Server, tables: Tables) -> Facts | None:
    """The facts of a generation; None where it was never finished. Raises IndexDamaged or IndexOutdated."""
    rows = server.rows(tables.texts, text_keys([FACTS]), ("number", "text"))
    if not rows:
        return None
    try:
        fields = json.loads(joined(rows))
        if fields.get("format") != STORE_FORMAT:
            raise IndexOutdated(
                f"{tables.passages} has format {fields.get('format')}, this Dateline's is {STORE_FORMAT}."
                " Run 'dateline rebuild --store' with this version."
            )
        return Facts(**{**fields, "model": ModelIdentity(**fields["model"])})
    except (ValueError, TypeError, LookupError) as error:
        raise IndexDamaged(f"The facts of {tables.passages} are damaged ({error}). {MEND_STORE}") from error
