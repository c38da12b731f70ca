"""A process that writes to an index until it is killed, and says what it has finished.

Run as: writer.py rebuild|add INDEX FOLDER. FOLDER holds batches 0.jsonl, 1.jsonl, …
"""

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from sample import FakeEncoder

from index.build import add, rebuild


def main(kind: str, root: Path, folder: Path) -> None:
    files = sorted(folder.glob("*.jsonl"), key=lambda path: int(path.stem))
    for turn in itertools.count():
        if kind == "add":
            batch = files[turn % len(files)]
            add(root, [str(batch)], lambda name: FakeEncoder())
            print(batch.stem, flush=True)
        else:
            rebuild(root, [str(path) for path in files], lambda name: FakeEncoder())
            print("all", flush=True)


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
