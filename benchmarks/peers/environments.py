"""The peers, and a virtual environment for each so that their pins do not clash.

    python benchmarks/peers/environments.py FOLDER [NAME ...]

makes FOLDER/NAME with what requirements-NAME.txt says, once; the benchmarks find them by --environments FOLDER.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
# The peers shall not ask a model hub for files that a local model does not have.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program that indexes and searches passages: its script here, and the environment that runs it."""

    name: str
    title: str
    script: str
    environment: str
    builds: bool = True
    """Whether it has an index of its own, and not that of another peer."""

    def python(self, environments: Path | None) -> Path | None:
        """The Python that has it installed, or None."""
        if environments is None:
            return None
        path = (environments / self.environment / "bin" / "python").absolute()
        return path if path.is_file() else None

    def command(self, environments: Path | None, *arguments: str | Path) -> list[str]:
        """The command line that runs its script. Raises FileNotFoundError when it is not installed."""
        python = self.python(environments)
        if python is None:
            raise FileNotFoundError(self.missing())
        return [str(python), str(_HERE / self.script), *map(str, arguments)]

    def missing(self) -> str:
        """What to do when it is not installed."""
        return f"not installed; run: python benchmarks/peers/environments.py FOLDER {self.environment}"


PEERS = (
    Peer("txtai", "txtai (hybrid)", "with_txtai.py", "txtai"),
    Peer("lancedb", "LanceDB (hybrid, IVF-PQ)", "with_lancedb.py", "lancedb"),
    Peer("lancedb-exact", "LanceDB (hybrid, exact)", "with_lancedb_exact.py", "lancedb", builds=False),
    Peer("faiss", "sentence-transformers + FAISS", "with_faiss.py", "faiss"),
    Peer("bm25s", "bm25s (words only)", "with_bm25s.py", "bm25s"),
)


def answer(output: str) -> dict[str, Any]:
    """The JSON line that a peer's script ends with."""
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found


def names() -> Iterator[str]:
    """The environments there are."""
    return iter(dict.fromkeys(peer.environment for peer in PEERS))


def main(arguments: Sequence[str]) -> None:
    """Makes the environments."""
    if not arguments:
        sys.exit(__doc__)
    folder, *wanted = arguments
    for name in wanted or names():
        place = Path(folder) / name
        print(f"{name}: {place}", flush=True)
        if not (place / "bin" / "python").exists():
            venv.create(place, with_pip=True)
        requirements = _HERE / f"requirements-{name}.txt"
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "-q", "-r", requirements], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
