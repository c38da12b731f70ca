"""The candidates of labelled queries with every signal that benchmarks/ranking.py tries.

BM25 is counted here, over the same stems as the index's, because tantivy fixes k1 and b and hides its
parts; so each variant of it is ranked over the same passages, in the same run.
"""

import json
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from index.catalog import Catalog
from index.encoder import Encoder, Matrix
from index.generation import live_generation, load_manifest
from index.terms import analyse

Array = NDArray[Any]

DEPTH = 200
"""Passages that each leg contributes, as in search/engine.py."""
# Of lexical feedback: where new stems come from, and how many.
_FEEDBACK_PASSAGES, _FEEDBACK_STEMS = 5, 10
_DISCOUNTS = 1 / np.log2(np.arange(2, 12))


@dataclass(frozen=True)
class Lexicon:
    """Weighted counts of stems in a set of texts: BM25 is a sum over columns."""

    weights: sparse.csc_matrix
    idf: Array
    k1: float

    def scores(self, stems: list[int]) -> Array:
        """BM25 of every text for these stems."""
        return np.asarray(self.weights[:, stems].sum(axis=1)).ravel()

    def ideal(self, stems: list[int], unknown: int) -> float:
        """BM25 of a text that matched everything fully, words that stand nowhere included."""
        texts = self.weights.shape[0]
        return (self.k1 + 1) * float(self.idf[stems].sum() + unknown * np.log(1 + (texts + 0.5) / 0.5))


def lexicon(counts: sparse.csr_matrix, k1: float, b: float) -> Lexicon:
    """BM25 weights, with the inverse document frequency of Lucene."""
    texts = counts.shape[0]
    frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
    idf = np.log(1 + (texts - frequency + 0.5) / (frequency + 0.5))
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    weighted = counts.copy()
    rows = np.repeat(np.arange(texts), np.diff(counts.indptr))
    damping = k1 * (1 - b + b * lengths[rows] / lengths.mean())
    weighted.data = idf[weighted.indices] * weighted.data * (k1 + 1) / (weighted.data + damping)
    return Lexicon(weighted.tocsc(), idf, k1)


@dataclass(frozen=True)
class Corpus:
    """Every passage of an index as arrays; `article` gives each one's position among the articles."""

    vectors: Matrix
    article: Array
    order: Array
    articles: list[str]
    days: Array
    means: Matrix
    titles: Matrix
    stems: dict[str, int]
    words: dict[str, int]
    sequences: list[Array]
    lexicons: dict[str, Lexicon]


@dataclass
class Pool:
    """The candidates of one query: `signals` has one value a candidate, `whole` one value an article.

    `candidates` are positions of passages, `likeness` the cosines between them, `group` says which of
    `articles` each belongs to, `dense` and `bm25` are scores of every article of the corpus, for the baselines.
    """

    day: int | None
    relevant: Array
    ideal_gain: float
    candidates: Array
    likeness: Array
    group: Array
    articles: Array
    dense: Array
    bm25: Array
    signals: dict[str, Array] = field(default_factory=dict)

    def gains(self, scores: Array) -> tuple[float, float]:
        """nDCG@10 and Success@1 of the pool's articles in this order."""
        return self._gains(self.articles[np.argsort(-scores, kind="stable")[:10]])

    def gains_of_all(self, scores: Array) -> tuple[float, float]:
        """The same where `scores` has a value for every article of the corpus."""
        return self._gains(np.argsort(-scores, kind="stable")[:10])

    def _gains(self, best: Array) -> tuple[float, float]:
        found = self.relevant[best]
        return float(found @ _DISCOUNTS[: len(best)]) / self.ideal_gain, float(found[0])


def read_corpus(index: Path, encoder: Encoder) -> Corpus:
    """Everything in the index at `index`."""
    layout = live_generation(index)
    with closing(Catalog.snapshot(layout.catalog)) as catalog:
        numbers = catalog.numbers()
        vectors = catalog.vectors(numbers, load_manifest(layout).model.dimension)
        passages = [(article, article.text[p.start : p.end]) for p, article in catalog.each_passage(numbers)]
    positions: dict[str, int] = {}
    article = np.asarray([positions.setdefault(owner.id, len(positions)) for owner, _ in passages])
    owners = list({owner.id: owner for owner, _ in passages}.values())
    firsts = np.maximum.accumulate(np.where(np.r_[True, article[1:] != article[:-1]], np.arange(len(article)), 0))
    stems: dict[str, int] = {}
    words: dict[str, int] = {}
    titles = [_numbered(owner.title, stems) for owner in owners]
    bodies = [_numbered(text, stems) for _, text in passages]
    joined = [np.r_[titles[at], body] for at, body in zip(article, bodies, strict=True)]
    unstemmed = [_numbered(f"{owner.title}\n{text}", words, stemmed=False) for owner, text in passages]
    counted = _counts(joined, len(stems))
    by_article = sparse.csr_matrix((np.ones(len(article)), (article, np.arange(len(article)))))
    means = np.asarray(by_article @ vectors, dtype=np.float32)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return Corpus(
        vectors=vectors,
        article=article,
        order=np.arange(len(article)) - firsts,
        articles=list(positions),
        days=np.asarray([date.fromisoformat(owner.day).toordinal() if owner.day else 0 for owner in owners]),
        means=means,
        titles=encoder.encode_passages([owner.title for owner in owners]),
        stems=stems,
        words=words,
        sequences=joined,
        lexicons={
            "passage": lexicon(counted, 1.2, 0.75),
            "passage .9 .4": lexicon(counted, 0.9, 0.4),
            "unstemmed": lexicon(_counts(unstemmed, len(words)), 1.2, 0.75),
            "body": lexicon(_counts(bodies, len(stems)), 1.2, 0.75),
            "title": lexicon(_counts([titles[at] for at in article], len(stems)), 1.2, 0.75),
            "article": lexicon((by_article @ counted).tocsr(), 1.2, 0.75),
            "article .9 .4": lexicon((by_article @ counted).tocsr(), 0.9, 0.4),
        },
    )


def read_pools(corpus: Corpus, folder: Path, encoder: Encoder) -> list[Pool]:
    """The labelled queries in `folder`, each with its candidates."""
    positions = {id: at for at, id in enumerate(corpus.articles)}
    labels: dict[str, set[int]] = {}
    for line in (folder / "qrels.txt").read_text("utf-8").splitlines():
        query, _, article, grade = line.split()
        if int(grade) > 0 and article in positions:
            labels.setdefault(query, set()).add(positions[article])
    lines = (folder / "queries.jsonl").read_text("utf-8").splitlines()
    # A query that stands there twice would sit on both sides of a fold.
    queries = {query["id"]: query for query in map(json.loads, lines)}.values()
    return [_pool(corpus, query, sorted(labels[query["id"]]), encoder) for query in queries if query["id"] in labels]


def _pool(corpus: Corpus, query: dict[str, Any], relevant: list[int], encoder: Encoder) -> Pool:
    vector = encoder.encode_query(query["text"])
    terms = analyse(query["text"])
    content = list(dict.fromkeys(term.stem for term in terms if not term.stop_word)) or [term.stem for term in terms]
    stems = [corpus.stems[stem] for stem in content if stem in corpus.stems]
    unknown = len(content) - len(stems)
    bm25 = {
        name: lexicon.scores(stems) if name != "unstemmed" else lexicon.scores(_unstemmed(corpus, query["text"]))
        for name, lexicon in corpus.lexicons.items()
    }
    cosines = corpus.vectors @ vector
    dense, lexical = np.argpartition(-cosines, DEPTH)[:DEPTH], np.argpartition(-bm25["passage"], DEPTH)[:DEPTH]
    candidates = np.union1d(dense, lexical[bm25["passage"][lexical] > 0])
    articles, group = np.unique(corpus.article[candidates], return_inverse=True)
    owner = corpus.article[candidates]
    ideals = {name: corpus.lexicons[name].ideal(stems, unknown) for name in ("passage", "article", "article .9 .4")}
    gains = np.zeros(len(corpus.articles))
    gains[relevant] = 1
    pool = Pool(
        relevant=gains,
        day=date.fromisoformat(query["date"]).toordinal() if "date" in query else None,
        ideal_gain=float(_DISCOUNTS[: min(10, len(relevant))].sum()),
        candidates=candidates, group=group, articles=articles,
        likeness=corpus.vectors[candidates] @ corpus.vectors[candidates].T,
        dense=_best(cosines, corpus.article, len(gains)), bm25=_best(bm25["passage .9 .4"], corpus.article, len(gains)),
    )  # fmt: skip
    idf = dict(zip(stems, corpus.lexicons["passage"].idf[stems], strict=True))
    present = corpus.lexicons["passage"].weights[:, stems].tocsr()[candidates].toarray() > 0
    total = ideals["passage"] / (corpus.lexicons["passage"].k1 + 1)
    held = corpus.lexicons["article"].weights[:, stems].tocsr()[articles].toarray() > 0
    held_idf = corpus.lexicons["article"].idf[stems]
    held_total = ideals["article"] / (corpus.lexicons["article"].k1 + 1)
    pool.signals |= {
        "cosine": cosines[candidates],
        "bm25": bm25["passage"][candidates],
        "share": np.minimum(bm25["passage"][candidates] / ideals["passage"], 1),
        "unstemmed": bm25["unstemmed"][candidates],
        "body": bm25["body"][candidates] / ideals["passage"],
        "title": bm25["title"][candidates] / ideals["passage"],
        "coverage": present @ np.asarray(list(idf.values())) / total if stems else np.zeros(len(candidates)),
        "pairs": _pairs(corpus, [corpus.stems.get(term.stem, -1) for term in terms], idf, candidates, present, total),
        "lead": 1 / (1 + corpus.order[candidates]),
        "article cosine": (corpus.means @ vector)[owner],
        "title cosine": (corpus.titles @ vector)[owner],
        "first cosine": cosines[np.flatnonzero(corpus.order == 0)][owner],
        "article share": np.minimum(bm25["article"][owner] / ideals["article"], 1),
        "article share .9 .4": np.minimum(bm25["article .9 .4"][owner] / ideals["article .9 .4"], 1),
        "article coverage": (held @ held_idf / held_total)[group] if stems else np.zeros(len(candidates)),
        "day": corpus.days[owner],
        "words": np.full(len(candidates), len(content)),
    }
    pool.signals["lexical feedback"] = _lexical_feedback(corpus, pool, stems)
    return pool


def _lexical_feedback(corpus: Corpus, pool: Pool, asked: list[int]) -> Array:
    """RM3: the share that each candidate has of the stems that tell most of the first passages apart."""
    lexicon = corpus.lexicons["passage"]
    first = np.argsort(-(pool.signals["cosine"] + pool.signals["share"] ** 2), kind="stable")[:_FEEDBACK_PASSAGES]
    told = np.asarray(lexicon.weights[pool.candidates[first]].sum(axis=0)).ravel()
    told[asked] = 0
    stems = np.argsort(-told)[:_FEEDBACK_STEMS].tolist()
    return np.asarray(lexicon.weights[pool.candidates][:, stems].sum(axis=1)).ravel() / lexicon.ideal(stems, 0)


def _pairs(
    corpus: Corpus, asked: list[int], idf: dict[int, float], candidates: Array, present: Array, total: float
) -> Array:
    """The information of the query's words that stand side by side as they do in the query, as a share."""
    pairs = {pair for pair in pairwise(asked) if pair[0] in idf and pair[1] in idf}
    found = np.zeros(len(candidates))
    for at in np.flatnonzero(present.sum(axis=1) > 1) if pairs else ():
        sequence = corpus.sequences[candidates[at]].tolist()
        found[at] = sum(idf[a] + idf[b] for a, b in pairs & set(pairwise(sequence)))
    return found / (2 * total)


def _best(scores: Array, article: Array, articles: int) -> Array:
    best = np.full(articles, -np.inf)
    np.maximum.at(best, article, scores)
    return best


def _numbered(text: str, numbers: dict[str, int], *, stemmed: bool = True) -> Array:
    terms = analyse(text)
    words = [term.stem if stemmed else text[term.start : term.end].lower() for term in terms]
    return np.asarray([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.int64)


def _unstemmed(corpus: Corpus, text: str) -> list[int]:
    words = {text[term.start : term.end].lower() for term in analyse(text) if not term.stop_word}
    return [corpus.words[word] for word in words if word in corpus.words]


def _counts(sequences: list[Array], words: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(sequences)), [len(sequence) for sequence in sequences])
    columns = np.concatenate(sequences)
    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(sequences), words))
    counts.sum_duplicates()
    return counts
