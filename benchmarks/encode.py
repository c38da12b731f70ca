"""How fast passages are embedded: the exported model against SentenceTransformer.encode in float32.

    python benchmarks/encode.py [--passages 150] [--source PATH] [--rounds 3] [--json FOLDER]

Cuts the articles of the source (default: seeds/) into passages as a rebuild does, then embeds the same passages in
turn with the exported model and with sentence-transformers at several batch sizes, the same cores for both. Prints
passages and tokens a second, the median of the rounds, and how near the embeddings are; the ratio is against the
best batch size. One query at a time comes last. Exits with 1 below the ratio that is promised.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import report
import torch

from index.article import Article
from index.embeddings import embedding_text
from index.encoder import DEFAULT_MODEL, load_encoder
from index.encoding.original import load_original
from index.encoding.runtime import FastEncoder
from index.passages import PassageSettings, passage_spans
from index.reading.files import documents
from index.reading.pool import read_all

_SEEDS = Path(__file__).parent.parent / "seeds"
_BATCH_SIZES = (8, 16, 32, 64, 128)
_PROMISED_RATIO = 3.3
# Below this many passages a passing disturbance decides.
_LEAST_TO_JUDGE = 500
_QUERIES = 100


def main() -> None:
    """Measures, prints the table and keeps it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=150)
    parser.add_argument("--source", type=Path, default=_SEEDS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    if not asked.source.exists():
        sys.exit(f"Skipped: there is no {asked.source}.")
    results = measured(passages_of(asked.source, asked.passages), asked.rounds)
    for row in results["encoders"]:
        print(f"{row['encoder']:24}{row['passages_a_second']:9.1f} passages/s {row['tokens_a_second']:9.0f} tokens/s")
    print(
        f"ratio {results['ratio']:.2f}, of processor time {results['ratio_of_processor_time']:.2f}; "
        f"cosine {results['cosine_mean']:.4f}, lowest hundredth {results['cosine_p1']:.4f}; "
        f"a query {results['query_ms']:.1f} ms against {results['query_ms_torch']:.1f}"
    )
    if asked.json:
        report.save("encode", results, asked.json)
    if results["ratio"] < _PROMISED_RATIO and results["passages"] >= _LEAST_TO_JUDGE:
        sys.exit(f"{results['ratio']:.2f} times as fast, where {_PROMISED_RATIO} is promised.")


def passages_of(source: Path, most: int) -> list[str]:
    """Passages as they are embedded, drawn at random."""
    settings, found = PassageSettings(), []
    for item in read_all(documents([str(source)], lambda urls: iter(())), 0):
        if isinstance(item.content, Article):
            article = item.content
            found += [
                embedding_text(article.title, article.text[slice(*span)])
                for span in passage_spans(article.text, settings)
            ]
    return random.Random(5).sample(found, min(most, len(found)))


def measured(passages: Sequence[str], rounds: int) -> dict[str, Any]:
    """Every encoder over the passages, in turn, in each round."""
    original, fast = load_original(DEFAULT_MODEL), load_encoder(kind="fast")
    assert isinstance(fast, FastEncoder)
    tokens = sum(len(original.model.tokenizer(text, truncation=True, max_length=256)["input_ids"]) for text in passages)
    ways: dict[str, Callable[[], Any]] = {"fast": lambda: fast.encode_passages(passages)}
    for size in _BATCH_SIZES:
        ways[f"torch, batches of {size}"] = lambda size=size: original.model.encode(
            list(passages), batch_size=size, normalize_embeddings=True, show_progress_bar=False
        )
    walls: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    embeddings = {}
    fast.encode_passages(passages[:64])
    original.encode_passages(passages[:64])
    for _ in range(rounds):
        for name, encode in ways.items():
            began, used = time.perf_counter(), time.process_time()
            embeddings[name] = encode()
            walls[name].append(time.perf_counter() - began)
            processor[name].append(time.process_time() - used)
    seconds = {name: statistics.median(taken) for name, taken in walls.items()}
    used_by = {name: statistics.median(taken) for name, taken in processor.items()}
    rivals = [name for name in ways if name != "fast"]
    best = min(rivals, key=seconds.__getitem__)
    cosines = (embeddings["fast"] * embeddings[best]).sum(axis=1)
    return {
        "passages": len(passages),
        "tokens_a_passage": round(tokens / len(passages), 1),
        "threads_of_torch": torch.get_num_threads(),
        "precision": fast.facts.precision,
        "encoders": [
            {
                "encoder": name,
                "passages_a_second": round(len(passages) / taken, 1),
                "tokens_a_second": round(tokens / taken),
                "processor_ms_a_passage": round(used_by[name] / len(passages) * 1000, 2),
            }
            for name, taken in seconds.items()
        ],
        "ratio": round(seconds[best] / seconds["fast"], 2),
        "ratio_of_processor_time": round(min(used_by[name] for name in rivals) / used_by["fast"], 2),
        "cosine_mean": round(float(cosines.mean()), 5),
        "cosine_p1": round(float(np.quantile(cosines, 0.01)), 5),
        "cosine_lowest": round(float(cosines.min()), 5),
        "query_ms": query_ms(fast.encode_query, passages),
        "query_ms_torch": query_ms(original.encode_query, passages),
    }


def query_ms(encode: Callable[[str], Any], passages: Sequence[str]) -> float:
    """Milliseconds for a title, the median: titles are about as long as what people ask."""
    titles = [passage.split("\n", 1)[0] for passage in passages[:_QUERIES]]
    taken = []
    for title in [*titles[:10], *titles]:
        began = time.perf_counter()
        encode(title)
        taken.append(time.perf_counter() - began)
    return round(statistics.median(taken[10:]) * 1000, 2)


if __name__ == "__main__":
    main()
