"""What is embedded of a passage, the name of it, and the table of what came of it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from index.database import Connection, crc32
from index.encoder import Matrix
from index.errors import MEND_CATALOG, IndexDamaged

_NAME_BYTES = 16
# Half precision moves a cosine by less than 0.001 and halves the file.
_STORED = np.dtype("<f2")


def embedding_text(title: str, passage: str) -> str:
    """What is embedded for a passage: the title travels with it."""
    return f"{title}\n{passage}"


def embedding_name(document_prompt: str, text: str) -> bytes:
    """Names what was embedded: the text as the model sees it."""
    return hashlib.sha256(f"{document_prompt}\0{text}".encode()).digest()[:_NAME_BYTES]


class Embeddings:
    """The vectors of a catalog by the names of what was embedded, each with its checksum.

    Works on the catalog's tables, inside its transactions.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def store(self, vectors: Mapping[bytes, Matrix]) -> None:
        """Stores vectors by name; one that is there is only written again where it is not whole."""
        blobs = ((name, vector.astype(_STORED).tobytes()) for name, vector in vectors.items())
        self._connection.executemany(
            "INSERT INTO vectors VALUES (?, ?, ?) ON CONFLICT (embedding) DO UPDATE"
            " SET vector = excluded.vector, checksum = excluded.checksum"
            " WHERE vector IS NOT excluded.vector OR checksum IS NOT excluded.checksum",
            ((name, blob, crc32(name, blob)) for name, blob in blobs),
        )

    def any(self) -> bool:
        """Whether there are any."""
        return self._connection.execute("SELECT 1 FROM vectors LIMIT 1").fetchone() is not None

    def of(self, passages: Sequence[int], dimension: int) -> Matrix:
        """Those of these passages, shape (len(passages), dimension). Raises IndexDamaged when one is not whole."""
        matrix: Matrix = np.zeros((len(passages), dimension), dtype=np.float32)
        position = {number: row for row, number in enumerate(passages)}
        query = f"SELECT number, {self._columns} FROM passages JOIN vectors USING (embedding) WHERE number IN ({{}})"
        for number, name, blob, checksum in self._connection.select(query, passages):
            if not _is_whole(name, blob, checksum) or len(blob) != dimension * _STORED.itemsize:
                raise IndexDamaged(f"The vector of passage {number} is not what was stored. {MEND_CATALOG}")
            matrix[position.pop(number)] = np.frombuffer(blob, dtype=_STORED)
        if position:
            raise IndexDamaged(f"The vector of passage {next(iter(position))} is missing. {MEND_CATALOG}")
        return matrix

    def known(self, names: Sequence[bytes]) -> dict[bytes, Matrix]:
        """Those with these names that are whole; what stands on damaged pages is left out."""
        query = f"SELECT {self._columns} FROM vectors WHERE embedding IN ({{}})"
        try:
            rows = list(self._connection.select(query, names))
        except IndexDamaged:
            if len(names) == 1:
                return {}
            half = len(names) // 2
            return self.known(names[:half]) | self.known(names[half:])
        whole = ((name, blob) for name, blob, checksum in rows if _is_whole(name, blob, checksum))
        return {name: np.frombuffer(blob, _STORED).astype(np.float32) for name, blob in whole}

    def forget_unused(self, names: Iterable[bytes]) -> None:
        """Forgets those of these that no passage uses any more."""
        self._connection.executemany(
            "DELETE FROM vectors WHERE embedding = ?1"
            " AND NOT EXISTS (SELECT 1 FROM passages WHERE passages.embedding = ?1)",
            ((name,) for name in names),
        )

    def drop_unused(self) -> None:
        """Forgets all that no passage uses."""
        self._connection.execute("DELETE FROM vectors WHERE embedding NOT IN (SELECT embedding FROM passages)")

    def have_checksums(self) -> bool:
        """Whether there are checksums: not in catalogs of formats 2 and 3 to which nobody has written since."""
        return any(name == "checksum" for _, name, *_ in self._connection.execute("PRAGMA table_info(vectors)"))

    @cached_property
    def _columns(self) -> str:
        return f"embedding, vector, {'checksum' if self.have_checksums() else 'NULL'}"


def _is_whole(name: Any, vector: Any, checksum: int | None) -> bool:
    """Whether a vector is what was stored, as far as can be told; one flipped bit makes a text of bytes."""
    if not isinstance(name, bytes) or not isinstance(vector, bytes):
        return False
    if checksum is None:  # written before there were checksums
        return len(vector) % _STORED.itemsize == 0
    return crc32(name, vector) == checksum
