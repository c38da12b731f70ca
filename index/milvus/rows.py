"""What the catalog knows as rows of a server's collections, and back.

Words travel as codes (index/forward.py), so that a reader can weigh the passages that it found without their texts;
`grams` are the same words and what stands side by side as numbers that a filter can look for.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.article import Article, Passage, content_hash
from index.bm25 import saturated
from index.encoder import Matrix
from index.errors import MEND_STORE, IndexDamaged
from index.forward import GAP, Codes, Often, code
from index.milvus.client import Row
from index.milvus.tables import LETTERS, MOST_BYTES, MOST_GRAMS, NOTHING
from index.terms import TermDocument, codes_of, day_ordinal
from index.urls import normalised_url

# Room for the brackets and separators of JSON around what an article's facts hold.
_MOST_TITLE = 20_000
_LABEL_BYTES = 500
# Bits behind an article's number, for the parts of its text: 268 MB of it.
_PART_BITS = 12
_NUMBERS = 1 << (62 - _PART_BITS)
_PART_BYTES = MOST_BYTES - 535
# Odd numbers, so that no two codes become one: 2^32 divided by the golden ratio (Knuth, TAOCP 3, 6.4), which spreads
# what it multiplies, and another that makes of words those of titles (Steele and Vigna, 2021, for 32 bits).
_SPREAD, _TITLES = np.uint32(0x9E3779B1), np.uint32(0x915F77F5)
# Milvus takes no dimension above this one.
_LAST_DIMENSION = (1 << 32) - 2
_TEXTS = ("id", "title", "text", "url", "published", "updated", "source", "language", "section", "summary")
FACTS = 0
"""Where the facts of a generation stand among the texts."""


@dataclass(frozen=True, slots=True)
class PassageFacts:
    """What ranking needs of a passage. `codes` are its words in reading order, with gaps."""

    passage: Passage
    place: int
    vector: Matrix
    codes: Codes


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """What ranking, grouping and facets need of an article. `codes` are its words, `often` how often each occurs."""

    number: int
    id: str
    story: int
    day: int
    title: str
    source: str | None
    url: str | None
    published: str | None
    language: str | None
    authors: tuple[str, ...]
    vector: Matrix
    codes: Codes
    often: Often
    length: int


def passage_row(
    passage: Passage, place: int, article: Article, document: TermDocument, vector: Matrix, mean_length: float | None
) -> Row:
    """A row of passages; without a mean length, no sparse vector."""
    codes, title = codes_of(document.text), codes_of(document.title)
    grams = [*grams_of(codes), *grams_of(title, in_title=True)]
    row = {
        "number": passage.number, "article": passage.article, "place": place, "start": passage.start,
        "end": passage.end, "day": document.day, "labels": labels_of(article), "grams": grams[:MOST_GRAMS],
        "words": _packed(codes[: MOST_BYTES * 3 // 16]), "vector": vector.tolist(),
    }  # fmt: skip
    if mean_length is not None:
        row["sparse"] = _weights(codes, mean_length)
    return row


def passage_facts(row: Row) -> PassageFacts:
    """What a row of passages says."""
    passage = Passage(row["number"], row["article"], row["start"], row["end"])
    codes = np.frombuffer(base64.b64decode(row["words"]), dtype="<u4")
    return PassageFacts(passage, row["place"], np.asarray(row["vector"], dtype=np.float32), codes)


PASSAGE_FIELDS = ("number", "article", "place", "start", "end", "words", "vector")
"""What `passage_facts` reads."""


def article_row(number: int, story: int | None, article: Article, vector: Matrix) -> Row:
    """A row of articles."""
    run = codes_of(f"{article.title}\n{article.text}")
    codes, counts = np.unique(run[run != GAP], return_counts=True)
    often = np.minimum(counts, np.iinfo(np.uint16).max)
    # Of what no VARCHAR holds, the words that say most of it: those that occur most.
    kept = np.sort(np.argsort(-often, kind="stable")[: MOST_BYTES // 8])
    packed = codes[kept].astype("<u4").tobytes() + often[kept].astype("<u2").tobytes()
    facts = {
        "title": cut(article.title, _MOST_TITLE), "source": article.source, "url": article.url,
        "published": article.published, "language": article.language, "authors": list(article.authors),
    }  # fmt: skip
    told = json.dumps(facts, ensure_ascii=False)
    if len(told.encode()) > MOST_BYTES:  # a page of authors, or an address that is a document of its own
        told = json.dumps({**facts, "authors": [], "url": None, "source": cut(article.source or "", _MOST_TITLE)})
    return {
        "number": number, "story": number if story is None else story, "head": story in (None, number),
        "day": day_ordinal(article.day), "labels": labels_of(article), "id": cut(article.id, MOST_BYTES),
        "facts": told, "words": base64.b64encode(packed).decode(), "length": int(np.count_nonzero(run != GAP)),
        "vector": vector.tolist(),
    }  # fmt: skip


def article_facts(row: Row) -> ArticleFacts:
    """What a row of articles says."""
    packed, told = base64.b64decode(row["words"]), json.loads(row["facts"])
    count = len(packed) // 6
    return ArticleFacts(
        number=row["number"], id=row["id"], story=row["story"], day=row["day"], title=told["title"],
        source=told["source"], url=told["url"], published=told["published"], language=told["language"],
        authors=tuple(told["authors"]), vector=np.asarray(row["vector"], dtype=np.float32),
        codes=np.frombuffer(packed, dtype="<u4", count=count),
        often=np.frombuffer(packed, dtype="<u2", offset=4 * count), length=row["length"],
    )  # fmt: skip


ARTICLE_FIELDS = ("number", "id", "story", "day", "facts", "words", "length", "vector")
"""What `article_facts` reads."""


def text_rows(number: int, article: Article) -> list[Row]:
    """An article as JSON, in as many rows as it takes."""
    record = {name: getattr(article, name) for name in _TEXTS}
    extra = json.dumps(dict(article.extra))  # in ASCII: nobody has looked for halves of characters in it
    hashed = content_hash(replace(article, extra=json.loads(extra)) if article.extra else article)
    record |= {"authors": article.authors, "extra": extra, "content_hash": hashed}
    return parts_of(number, json.dumps(record, ensure_ascii=False))


def article_in(rows: Iterable[Row]) -> Article:
    """The article that stands in these rows. Raises IndexDamaged when it is not the one that was published."""
    try:
        record = json.loads(joined(rows))
        authors, extra, hashed = (
            tuple(record.pop("authors")),
            json.loads(record.pop("extra")),
            record.pop("content_hash"),
        )
        article = Article(**record, authors=authors, extra=extra)
    except (ValueError, TypeError, LookupError) as error:
        raise IndexDamaged(f"An article on the server is not whole ({error}). {MEND_STORE}") from error
    if content_hash(article) != hashed:
        raise IndexDamaged(f"The article {article.id!r} on the server is not what was published. {MEND_STORE}")
    return article


def parts_of(number: int, text: str) -> list[Row]:
    """A text under a number, cut where a VARCHAR ends, but never within a character."""
    parts: list[Row] = []
    encoded = text.encode()
    start = 0
    while start < len(encoded) or not parts:
        part = encoded[start : start + _PART_BYTES].decode(errors="ignore")
        parts.append({"number": (number << _PART_BITS) + len(parts), "text": part, "vector": [0.0, 0.0]})
        start += len(part.encode())
    return parts


def joined(rows: Iterable[Row]) -> str:
    """The text of the rows of one number."""
    return "".join(row["text"] for row in sorted(rows, key=lambda row: row["number"]))


def text_keys(numbers: Sequence[int]) -> str:
    """The condition that finds the rows of these articles' texts."""
    ranges = (
        f"(number >= {number << _PART_BITS} and number < {(number + 1) << _PART_BITS})"
        for number in numbers
        if 0 <= number < _NUMBERS
    )
    return " or ".join(ranges) or NOTHING


def by_article(rows: Iterable[Row]) -> dict[int, list[Row]]:
    """Rows of texts by the number of the article that each is part of."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(number_of_text(row), []).append(row)
    return found


def number_of_text(row: Row) -> int:
    """The number of the article whose text a row is part of."""
    return int(row["number"]) >> _PART_BITS


def word_row(kind: str, word: str, passages: int = 0, ever: int = 0, articles: int = 0) -> Row:
    """A row of words: a "stem", a "spelling", or the name of a "source" or an "author".

    `passages` have it now, `ever` counts what idf does: removed ones too until their words are forgotten.
    """
    vector = letters_of(word) if kind == "spelling" else [0.0] * LETTERS
    return {
        "key": word_key(kind, word), "kind": kind, "word": cut(word, _LABEL_BYTES), "passages": passages, "ever": ever,
        "articles": articles, "vector": vector,
    }  # fmt: skip


def word_key(kind: str, word: str) -> str:
    """The key of a word."""
    return f"{kind}:{cut(word, _LABEL_BYTES)}"


def letters_of(word: str) -> list[float]:
    """How often each letter occurs: a slip changes that by 1 or 2, squared, a swap of two not at all."""
    counts = [0.0] * LETTERS
    for letter in word:
        at = ord(letter)
        if 97 <= at <= 122:
            counts[at - 97] += 1
        elif 48 <= at <= 57:
            counts[at - 48 + 26] += 1
        else:
            counts[36 + at % 2] += 1
    return counts


def labels_of(article: Article) -> list[str]:
    """What filters on names look for: source, hosts, authors, languages, each under a letter of its own."""
    labels = [label("s", article.source)] if article.source else []
    address = normalised_url(article.url) if article.url else ""
    host = address.removeprefix("https://").partition("/")[0]
    names = host.split(".") if address.startswith("https://") else []
    labels += [label("h", ".".join(names[at:])) for at in range(len(names))]
    labels += [label("a", name) for name in article.authors[:500]]
    if article.language:
        parts = article.language.replace("_", "-").split("-")
        labels += [label("l", "-".join(parts[: at + 1])) for at in range(len(parts))]
    return list(dict.fromkeys(labels))


def label(kind: str, name: str) -> str:
    """What stands for a name, whatever its case, and for a language, whatever stands between its parts."""
    name = name.replace("_", "-") if kind == "l" else name
    return f"{kind}:{cut(name.strip().casefold(), _LABEL_BYTES)}"


def grams_of(codes: Codes, *, in_title: bool = False) -> list[int]:
    """The words in a run of codes, and each two that stand side by side there, as numbers of 32 bits with a sign."""
    beside = (codes[:-1] != GAP) & (codes[1:] != GAP)
    pairs = codes[:-1][beside] * _SPREAD ^ codes[1:][beside]
    grams = np.concatenate([codes[codes != GAP], pairs])
    found: list[int] = np.unique((grams * _TITLES if in_title else grams).view(np.int32)).tolist()
    return found


def phrase_grams(stems: Sequence[str], *, in_title: bool = False) -> list[int]:
    """What a passage must hold for these stems to stand side by side there, two by two."""
    codes = np.asarray([code(stem) for stem in stems], dtype=np.uint32)
    if len(stems) < 2:
        return grams_of(codes, in_title=in_title)
    runs = (grams_of(codes[at : at + 2], in_title=in_title) for at in range(len(stems) - 1))
    alone = {gram for at in range(len(stems)) for gram in grams_of(codes[at : at + 1], in_title=in_title)}
    return list(dict.fromkeys(gram for run in runs for gram in run if gram not in alone))


def stand_side_by_side(stems: Sequence[str], codes: Codes) -> bool:
    """Whether these stems stand one behind the other in a run of codes."""
    wanted = np.asarray([code(stem) for stem in stems], dtype=np.uint32)
    if len(wanted) > len(codes):
        return False
    return bool((np.lib.stride_tricks.sliding_window_view(codes, len(wanted)) == wanted).all(axis=1).any())


def dimension_of(stem: str) -> int:
    """Where a stem stands in a sparse vector."""
    return min(code(stem), _LAST_DIMENSION)


def cut(text: str, most: int) -> str:
    """As much of `text` as fits into so many bytes."""
    return text.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def _weights(codes: Codes, mean_length: float) -> dict[int, float]:
    """What each word of a passage weighs in BM25 beside its idf, which the query brings.

    The mean length is that of the corpus when the passage was published: the exact score is counted from the words.
    """
    words, counts = np.unique(codes[codes != GAP], return_counts=True)
    weights = saturated(counts, int(counts.sum()), mean_length)
    if not len(words):
        return {_LAST_DIMENSION: 1e-9}  # what has no words has to have something
    return dict(zip(np.minimum(words, _LAST_DIMENSION).tolist(), weights.tolist(), strict=True))


def _packed(codes: NDArray[Any]) -> str:
    return base64.b64encode(codes.astype("<u4").tobytes()).decode()
