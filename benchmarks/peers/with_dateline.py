"""Dateline itself, in its own process, asked as the peers are: `with_dateline.py search INDEX QUERIES.jsonl`.

Its hits are articles, grouped, with the best passage of each highlighted; the peers answer with bare passages.
"""

import argparse
import json
from pathlib import Path

from protocol import measure

from search import open_engine


def main() -> None:
    """Prints one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["search"])
    parser.add_argument("index", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--depth", type=int, default=100)
    asked = parser.parse_args()
    engine = open_engine(asked.index)

    def search(query: str, wanted: int) -> list[str]:
        return [hit.article.id for hit in engine.search(query, size=wanted)]

    print(json.dumps(measure(search, asked.queries, asked.depth)))


if __name__ == "__main__":
    main()
