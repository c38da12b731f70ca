"""Which sentence answers, and whether sentences rank better than passages.

    python benchmarks/sentences.py INDEX FOLDER [FOLDER ...]

For the queries in the folders that have answers (strings): how often the sentence that each way marks in the first
passage holds one, of those whose first passage does. For 150 queries of each folder: nDCG@10 when the 20 first
articles are ranked anew with the best cosine of any sentence of their passage added, at several weights; the
ranking in use is the baseline. Encodes sentences, so it takes minutes.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import ir_measures
import numpy as np
from ir_measures import nDCG

from index.encoder import Encoder, Matrix, load_encoder
from index.sentences import sentence_spans
from index.store import EmbeddedStore
from index.terms import analyse
from search.engine import Engine
from search.highlight import best_sentence
from search.hits import Hit
from search.query import SearchRequest
from search.wording import worded

_QUERIES = 150
_RERANKED = 20
_WEIGHTS = (0.1, 0.2, 0.4)

Choice = Callable[[str, Hit, list[str]], int]


def main(arguments: list[str]) -> None:
    """Prints both tables."""
    index, *folders = arguments or [""]
    missing = [folder for folder in folders if not (Path(folder) / "qrels.txt").is_file()]
    if not folders or missing:
        sys.exit(f"Skipped: no labelled queries at {missing[0]}." if missing else __doc__)
    encoder = load_encoder()
    engine = Engine(EmbeddedStore.open(Path(index)), encoder)
    for folder in map(Path, folders):
        lines = (folder / "queries.jsonl").read_text("utf-8").splitlines()
        queries = list({query["id"]: query for query in map(json.loads, lines)}.values())
        answered = [query for query in queries if query.get("answers")]
        if answered:
            show_choices(engine, encoder, answered)
        show_late_interaction(engine, encoder, queries[:: max(1, len(queries) // _QUERIES)], folder)


def show_choices(engine: Engine, encoder: Encoder, queries: list[dict]) -> None:
    """How often each way of choosing a sentence finds one with an answer."""

    def in_use(query: str, hit: Hit, sentences: list[str]) -> int:
        words = worded(query, engine.store.vocabulary, correct=True, is_word=encoder.knows).words
        span = best_sentence(hit.text, words)
        return sentences.index(hit.text[slice(*span)])

    def by_rarity(query: str, hit: Hit, sentences: list[str]) -> int:
        idf = {term.stem: engine.store.vocabulary.idf(term.stem) for term in analyse(query) if not term.stop_word}
        held = [sum(idf.get(stem, 0) for stem in {term.stem for term in analyse(text)}) for text in sentences]
        return int(np.argmax(held))

    def by_meaning(query: str, hit: Hit, sentences: list[str]) -> int:
        return int(np.argmax(encoder.encode_passages(sentences) @ encoder.encode_query(query)))

    ways: dict[str, Choice] = {
        "the first": lambda query, hit, sentences: 0,
        "the longest": lambda query, hit, sentences: int(np.argmax([len(text) for text in sentences])),
        "nearest embedding": by_meaning,
        "words weighed by rarity": by_rarity,
        "in use": in_use,
    }
    found: dict[str, list[bool]] = {name: [] for name in ("at random", *ways)}
    for query in queries:
        hits = engine.search(SearchRequest(query["text"], size=1, as_of=query.get("date"), date_words=False)).hits
        sentences = [hits[0].text[slice(*span)] for span in sentence_spans(hits[0].text)] if hits else []
        holds = [any(answer.lower() in text.lower() for answer in query["answers"]) for text in sentences]
        if not any(holds):
            continue
        found["at random"].append(float(np.mean(holds)))
        for name, way in ways.items():
            found[name].append(holds[way(query["text"], hits[0], sentences)])
    print(f"the marked sentence holds the answer, of {len(found['in use'])} first passages that do")
    for name, marks in found.items():
        print(f"  {name:28} {np.mean(marks):.3f}", flush=True)


def show_late_interaction(engine: Engine, encoder: Encoder, queries: list[dict], folder: Path) -> None:
    """nDCG@10 with the nearest sentence of each of the first articles' passages added to their scores."""
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.txt")))
    labelled = {label.query_id for label in qrels}
    runs: dict[float, list[ir_measures.ScoredDoc]] = {weight: [] for weight in (0.0, *_WEIGHTS)}
    for query in queries:
        if query["id"] not in labelled:
            continue
        hits = engine.search(SearchRequest(query["text"], size=_RERANKED, date_words=False)).hits
        nearest = [_nearest(encoder, hit.text, encoder.encode_query(query["text"])) for hit in hits]
        for weight, run in runs.items():
            scores = [hit.score + weight * near for hit, near in zip(hits, nearest, strict=True)]
            run += [
                ir_measures.ScoredDoc(query["id"], hit.article.id, score)
                for hit, score in zip(hits, scores, strict=True)
            ]
    asked = {query["id"] for query in queries}
    kept = [label for label in qrels if label.query_id in asked]
    print(f"{folder.name}: nDCG@10 with the nearest sentence's cosine added to the first {_RERANKED} articles")
    for weight, run in runs.items():
        figure = ir_measures.calc_aggregate([nDCG @ 10], kept, run)[nDCG @ 10]
        print(f"  weight {weight:.1f}  {figure:.4f}", flush=True)


def _nearest(encoder: Encoder, text: str, vector: Matrix) -> float:
    sentences = [text[slice(*span)] for span in sentence_spans(text)]
    return float((encoder.encode_passages(sentences) @ vector).max())


if __name__ == "__main__":
    main(sys.argv[1:])
