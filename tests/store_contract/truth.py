"""What a store should answer, by looking at every article of the catalog in plain Python."""

from collections.abc import Iterable
from contextlib import closing
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from index.article import Article, Copy, Passage
from index.catalog import Catalog, Counts
from index.columns import Numbers
from index.compounds import compounds
from index.encoder import Matrix
from index.filters import Filters
from index.generation import live_generation, load_manifest
from index.terms import analyse, day_ordinal


class Truth:
    """All that the catalog of an index holds at one moment; `vectors` has a row for each passage."""

    def __init__(
        self,
        articles: dict[int, Article],
        passages: dict[int, Passage],
        vectors: Matrix,
        copies: dict[int, list[Copy]],
        counts: Counts,
    ) -> None:
        self.articles, self.passages, self.vectors = articles, passages, vectors
        self.copies, self.counts = copies, counts

    @classmethod
    def of(cls, root: Path) -> "Truth":
        """What the live generation at `root` holds now."""
        layout = live_generation(root)
        with closing(Catalog.snapshot(layout.catalog)) as catalog:
            numbers = catalog.numbers()
            articles = catalog.articles(catalog.article_numbers().tolist())
            return cls(
                articles,
                catalog.passages(numbers.tolist()),
                catalog.vectors(numbers, load_manifest(layout).model.dimension),
                catalog.copies(list(articles)),
                catalog.counts(),
            )

    @cached_property
    def numbers(self) -> Numbers:
        """All passages, ascending: the rows of `vectors`."""
        return np.asarray(sorted(self.passages), dtype=np.int64)

    @cached_property
    def article_numbers(self) -> Numbers:
        """All articles, ascending."""
        return np.asarray(sorted(self.articles), dtype=np.int64)

    def number(self, id: str) -> int:
        """The number of the article with this id."""
        return next(number for number, article in self.articles.items() if article.id == id)

    def text(self, number: int) -> str:
        """What is searched of a passage: its article's title and its own text."""
        passage = self.passages[number]
        article = self.articles[passage.article]
        return f"{article.title}\n{article.text[passage.start : passage.end]}"

    def passages_of(self, article: int) -> list[Passage]:
        """The passages of an article in reading order."""
        return sorted((one for one in self.passages.values() if one.article == article), key=lambda one: one.start)

    def rows(self, numbers: Iterable[int]) -> Matrix:
        """The embeddings of these passages."""
        return self.vectors[np.searchsorted(self.numbers, list(numbers))]

    def mean(self, article: int) -> Matrix:
        """The direction of an article: the mean of its passages, of unit length."""
        mean = self.rows(passage.number for passage in self.passages_of(article)).mean(axis=0)
        return mean / np.linalg.norm(mean)

    def story(self, article: int) -> set[int]:
        """This article and the copies of its story."""
        return {article, *(copy.number for copy in self.copies.get(article, ()))}

    def left(self, filters: Filters) -> list[int]:
        """The passages that filters leave, ascending."""
        excluded = [phrase for phrase in filters.excluded if stems(phrase)]
        unwanted = {
            passage.article
            for number, passage in self.passages.items()
            if any(stand(phrase, self.text(number)) for phrase in excluded)
        }
        passing = {number for number, article in self.articles.items() if self._passes(filters, article)} - unwanted
        return [
            number
            for number in self.numbers.tolist()
            if self.passages[number].article in passing
            and all(stand(phrase, self.text(number)) for phrase in filters.phrases)
        ]

    def newest(self, numbers: Iterable[int]) -> list[int]:
        """The first of these passages of each article, newest article first, those without a date last."""
        firsts: dict[int, int] = {}
        for number in sorted(numbers):
            firsts.setdefault(self.passages[number].article, number)
        return [firsts[article] for article in sorted(firsts, key=lambda one: (-self.day(one), -one))]

    def day(self, article: int) -> int:
        """The day of an article as an ordinal, 0 where it is not known."""
        return day_ordinal(self.articles[article].day)

    def unknown(self, filters: Filters) -> set[str]:
        """The names in filters that nothing has."""
        articles = self.articles.values()
        sources = [article.source for article in articles if article.source]
        authors = [author for article in articles for author in article.authors]
        languages = [article.language for article in articles if article.language]
        unknown = {
            asked
            for asked in (*filters.sources, *filters.excluded_sources)
            if not any(same_name(asked, source) for source in sources) and not self._any_at(asked)
        }
        unknown |= {asked for asked in filters.authors if not any(same_name(asked, author) for author in authors)}
        return unknown | {asked for asked in filters.languages if not any(variant(asked, tag) for tag in languages)}

    def _any_at(self, host: str) -> bool:
        return any(at_host(host, article.url) for article in self.articles.values())

    def _passes(self, filters: Filters, article: Article) -> bool:
        day = article.day

        def is_from(names: Iterable[str]) -> bool:
            return any(same_name(asked, article.source) or at_host(asked, article.url) for asked in names)

        return (
            (not filters.first_day or (day is not None and filters.first_day <= day))
            and (not filters.last_day or (day is not None and day <= filters.last_day))
            and (not filters.sources or is_from(filters.sources))
            and not is_from(filters.excluded_sources)
            and (not filters.authors or any(same_name(*pair) for pair in product(filters.authors, article.authors)))
            and (not filters.languages or any(variant(asked, article.language) for asked in filters.languages))
            and all(stand(words, article.title) for words in filters.title)
        )


@cache
def stems(text: str) -> list[str]:
    """The stems of a text, in order."""
    return [term.stem for term in analyse(text)]


def stand(phrase: str, text: str) -> bool:
    """Whether these words stand side by side in a text; a compound stands for its parts written as one, too."""
    wanted, words = stems(phrase), stems(text)
    if len(wanted) == 1 and any(stems(compound.joined) == wanted for compound in compounds(text)):
        return True
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1))


def same_name(asked: str, stored: str | None) -> bool:
    """Whether a name is this one, but for capitals and space around it."""
    return stored is not None and asked.strip().casefold() == stored.casefold()


def variant(asked: str, stored: str | None) -> bool:
    """Whether a language is the one asked for or a regional variant of it."""
    asked, stored = asked.strip().lower().replace("_", "-"), (stored or "").lower().replace("_", "-")
    return bool(stored) and f"{stored}-".startswith(f"{asked}-")


def at_host(host: str, url: str | None) -> bool:
    """Whether an address is at a host or below it."""
    name = urlsplit(url or "").hostname or ""
    return "." in host and (name == host.lower() or name.endswith(f".{host.lower()}"))
