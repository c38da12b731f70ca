"""Articles of which every edition can be told from every other, and a look at whether an index holds them whole.

Every sentence of an article has a word of its own and one of its edition; so each passage says whose it is.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from sample import FakeEncoder, write_jsonl

from index import check
from index import lists as inverted
from index.article import Passage
from index.embeddings import embedding_text
from index.encoder import Matrix
from index.filters import Filters
from index.passages import PassageSettings, passage_spans
from index.store import EmbeddedStore
from index.terms import Word, analyse
from search.engine import Engine
from search.hits import Hit

State = dict[int, int]
"""Which edition of which article an index holds."""

ARTICLES, EDITIONS = 32, 3
SETTINGS, OTHER_SETTINGS = PassageSettings(20, 24, 5), PassageSettings(30, 36, 8)
_COPY_OF = {30: 4, 31: 18}
_SENTENCES, _SEARCHED = 6, 4
_WORDS = (
    "harbour council ferry budget minister flood school hospital bridge election strike museum library railway storm"
    " court police union wages housing energy climate vaccine research satellite harvest fishery border treaty"
).split()
# Half precision of the stored vectors.
_VECTOR_TOLERANCE = 2e-3


class Remembering(FakeEncoder):
    """Embeds each text once in the life of the process that forks all others."""

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        if not texts:
            return super().encode_passages(texts)
        return np.stack([_embedded(text) for text in texts])


@cache
def _embedded(text: str) -> Matrix:
    return FakeEncoder().encode_passages([text])[0]


def load(name: str | None = None, **options: object) -> Remembering:
    """The encoder, as the product loads one."""
    return Remembering()


def word_of(number: int) -> str:
    """The word that every sentence of an article has, and no other article."""
    return f"q{number}zx"


def edition_word(number: int, edition: int) -> str:
    """The word that every sentence of one edition of an article has."""
    return f"q{number}e{edition}zy"


def text_of(number: int, edition: int) -> str:
    """An article's text: six sentences, three passages or so."""
    chance = random.Random(f"{_COPY_OF.get(number, number)} {edition}")
    sentences = []
    for _ in range(_SENTENCES):
        words = " ".join(chance.choices(_WORDS, k=chance.randint(5, 8)))
        sentences.append(f"The {word_of(number)} {edition_word(number, edition)} {words}.")
    return " ".join(sentences)


def record(number: int, edition: int) -> dict:
    """An article as Dateline reads it."""
    return {
        "id": f"a{number}", "title": f"Report {word_of(number)}", "source": f"Edition {edition}", "language": "en",
        "published": f"2024-{1 + number % 12:02}-{1 + edition:02}", "authors": [f"Author {number % 5}"],
        "text": text_of(number, edition), "url": f"https://news.example.org/{number}",
    }  # fmt: skip


def write_editions(path: Path, editions: State) -> Path:
    """Writes these editions as JSONL, in order."""
    return write_jsonl(path, [record(number, edition) for number, edition in editions.items()])


def remember_all() -> None:
    """Embeds what trials will embed, so that they need not."""
    for number in range(ARTICLES):
        for edition in range(EDITIONS):
            text = text_of(number, edition)
            for settings in (SETTINGS, OTHER_SETTINGS):
                spans = passage_spans(text, settings)
                load().encode_passages([embedding_text(f"Report {word_of(number)}", text[a:b]) for a, b in spans])


@dataclass(frozen=True, slots=True)
class Found:
    """What an index holds, and what is wrong with its answers; `damage` is what `check` says."""

    state: State
    wrong: list[str]
    damage: list[str]


def examined(root: Path, seed: int = 0) -> Found:
    """Opens the index as a search does and looks at every article, passage and vector in it.

    Raises what opening raises.
    """
    engine = Engine.open(root, load)
    exact_up_to, inverted.EXACT_UP_TO = inverted.EXACT_UP_TO, 2**40  # whether lists find everything is not asked here
    try:
        state, wrong = seen(engine, seed)
    finally:
        inverted.EXACT_UP_TO = exact_up_to
        engine.close()
    return Found(state, wrong, check.problems(root))


def seen(engine: Engine, seed: int = 0) -> tuple[State, list[str]]:
    """What an open index holds, and what is wrong with its answers."""
    store = engine.store
    assert isinstance(store, EmbeddedStore)
    state: State = {}
    wrong = _numbers_that_differ(store)
    for number in range(ARTICLES):
        stored = store.article(f"a{number}")
        if stored is None:
            wrong += _traces(store, number, [])
            continue
        at, article = stored
        edition = int((article.source or "Edition -1").removeprefix("Edition "))
        state[number] = edition
        if article.text != text_of(number, edition):
            wrong.append(f"a{number} is no edition of it")
        passages = store.passages_of(at)
        wrong += _traces(store, number, [passage.number for passage in passages], edition)
        wrong += _vectors(store, number, article.text, passages)
    if store.counts().articles != len(state):
        wrong.append(f"{store.counts().articles} articles are counted, {len(state)} are there")
    for number in random.Random(seed).sample(sorted(state), min(_SEARCHED, len(state))):
        wrong += _searched(engine, number)
    return state, wrong


def _numbers_that_differ(store: EmbeddedStore) -> list[str]:
    """Parts of a store that do not hold the passages and articles that its catalog has."""
    counts = store.counts()
    passages, articles = set(store._catalog.numbers().tolist()), set(store._catalog.article_numbers().tolist())
    held = {
        "columns": (store._columns.numbers, passages), "vectors": (store._vectors.numbers, passages),
        "terms": (store._terms.numbers(), passages), "article columns": (store._columns.article_numbers, articles),
        "article vectors": (store._article_vectors.numbers, articles),
        "article terms": (store._article_terms.numbers(), articles),
    }  # fmt: skip
    wrong = [f"{part} differ from the catalog" for part, (numbers, stored) in held.items() if set(numbers) != stored]
    if (counts.passages, counts.articles) != (len(passages), len(articles)):
        wrong.append("counts differ from the catalog")
    return wrong


def _traces(store: EmbeddedStore, number: int, passages: list[int], edition: int | None = None) -> list[str]:
    """Words that are found elsewhere than in exactly these passages: those of the article and of each edition."""
    wrong = []
    wanted = {word_of(number): passages}
    wanted |= {edition_word(number, other): passages if other == edition else [] for other in range(EDITIONS)}
    everywhere = store.scope(Filters())
    for word, expected in wanted.items():
        stem = analyse(word)[0].stem
        found = store.search_lexical([Word(((stem,),))], 1_000, everywhere).numbers.tolist()
        if sorted(found) != sorted(expected):
            wrong.append(f"{word} is found in {len(found)} passages, not in the {len(expected)} that have it")
    return wrong


def _vectors(store: EmbeddedStore, number: int, text: str, passages: list[Passage]) -> list[str]:
    encoded = load().encode_passages(
        [embedding_text(f"Report {word_of(number)}", text[part.start : part.end]) for part in passages]
    )
    numbers = np.asarray([passage.number for passage in passages], dtype=np.int64)
    wrong = []
    if not passages:
        wrong.append(f"a{number} has no passage")
    elif not np.allclose(store.vectors(numbers), encoded, atol=_VECTOR_TOLERANCE):
        wrong.append(f"passages of a{number} have the vectors of others")
    elif store.search_dense(encoded[0], 1, store.scope(Filters())).numbers.tolist() != [passages[0].number]:
        wrong.append(f"the first passage of a{number} is not the nearest to itself")
    return wrong


def _searched(engine: Engine, number: int) -> list[str]:
    hits = engine.search(word_of(number), size=5).hits
    # Of a story's copies the head may stand for all.
    story = {number, _COPY_OF.get(number, number)} | {copy for copy, of in _COPY_OF.items() if of == number}
    ids = {f"a{member}" for member in story}
    if not hits or hits[0].article.id not in ids:
        return [f"a{number} is not the first that is found for its word"]
    return [mistake for hit in hits for mistake in hit_mistakes(hit)]


def hit_mistakes(hit: Hit) -> list[str]:
    """What is wrong with a hit: its text is not its article's, or its article no edition."""
    article, passage = hit.article, hit.passage
    number, edition = int(article.id.removeprefix("a")), int((article.source or "").removeprefix("Edition "))
    wrong = []
    if article.text != text_of(number, edition):
        wrong.append(f"a hit is no edition of a{number}")
    if hit.text != article.text[passage.start : passage.end] or word_of(number) not in hit.text:
        wrong.append(f"a hit's text is not of a{number}")
    return wrong
