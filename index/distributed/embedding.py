"""An encoder whose passages are embedded by many workers, which load the model once.

Numbers come out a little otherwise for a text in other company (a cosine of .9997 at the least), because an export
computes in bytes. So passages are handed out in the very batches in which one machine would compute them: on
processors of the same kind, vectors are the same to the bit.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from index.distributed.crew import Crew
from index.encoder import Encoder, Matrix, ModelIdentity, load_encoder
from index.encoding.original import SentenceTransformerEncoder
from index.encoding.runtime import FACTS_FILE, FastEncoder
from index.errors import ClusterError

# Batches of the runtime, of about a thousand tokens each, that a worker is given at a time: some twenty passages, half
# a second on one core, so that all end nearly together, and a hundred times what sending them takes.
_BATCHES_A_PIECE = 4
# What takes the place of such a batch for an encoder that has none.
_CHARACTERS_A_BATCH = 4_000

Embed = Callable[[Sequence[str]], Matrix]
Hire = Callable[..., Crew[Sequence[str], Matrix]]
"""A crew of workers, each of which does what its first argument, called there with the others, returns."""


class DistributedEncoder:
    """The encoder that `load` makes, at work in many places; questions of a query are answered here."""

    def __init__(self, identity: ModelIdentity, load: Callable[[], Encoder], hire: Hire) -> None:
        self.identity = identity
        self._load = load
        self._hire = hire

    def encode_passages(self, texts: Sequence[str]) -> Matrix:
        """One unit-length row for each text. Raises ClusterError when the cluster is lost."""
        return self.begin_passages(texts)()

    def begin_passages(self, texts: Sequence[str]) -> Callable[[], Matrix]:
        """Begins to embed; what is returned waits for the rows, and raises as `encode_passages` does."""
        if not texts:  # and then no model is loaded, here or there
            return lambda: np.empty((0, self.identity.dimension), dtype=np.float32)
        begun = [
            (piece, self._crew.submit([texts[number] for number in piece]))
            for piece in pieces(computed_together(self._local, texts), _BATCHES_A_PIECE)
        ]

        def embedded() -> Matrix:
            rows = np.empty((len(texts), self.identity.dimension), dtype=np.float32)
            for piece, made in begun:
                rows[piece] = made.result()
            return rows

        return embedded

    def encode_query(self, text: str) -> Matrix:
        """One unit-length vector."""
        return self._local.encode_query(text)

    def knows(self, word: str) -> bool:
        """Whether this is a word to the model."""
        return self._local.knows(word)

    @cached_property
    def _local(self) -> Encoder:
        return self._load()

    @cached_property
    def _crew(self) -> Crew[Sequence[str], Matrix]:
        return self._hire(*_recipe(self._local))


def computed_together(encoder: Encoder, texts: Sequence[str]) -> list[list[int]]:
    """The numbers of texts in batches, as the encoder would make them, with the longest texts first.

    The short ones are left for the end, when workers become idle one by one.
    """
    if isinstance(encoder, FastEncoder):
        return encoder.batches(texts)
    return batches_by_length([len(text) for text in texts], _CHARACTERS_A_BATCH)


def batches_by_length(lengths: Sequence[int], most: int) -> list[list[int]]:
    """The numbers of texts with these lengths, the longest first, in batches of `most` in all or one text alone."""
    batches: list[list[int]] = []
    size = 0
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        if not batches or size + lengths[number] > most:
            batches.append([])
            size = 0
        batches[-1].append(number)
        size += lengths[number]
    return batches


def pieces(batches: Sequence[Sequence[int]], together: int) -> list[list[int]]:
    """The same numbers, so many batches at a time."""
    return [
        [number for batch in batches[first : first + together] for number in batch]
        for first in range(0, len(batches), together)
    ]


def _recipe(encoder: Encoder) -> tuple[Callable[..., Embed], object]:
    """How to make this encoder in another place: by what function, of what.

    An export travels as its files: it is the same to the bit, and needs neither torch nor the original there.
    """
    if isinstance(encoder, FastEncoder):
        names = (*encoder.facts.sizes, FACTS_FILE)
        return opened_export, {name: (encoder.folder / name).read_bytes() for name in names}
    if isinstance(encoder, SentenceTransformerEncoder):
        return loaded_original, encoder.identity
    return at_hand, encoder


def opened_export(files: Mapping[str, bytes]) -> Embed:
    """What embeds with an export of these files. Raises ModelError when it computes wrongly here."""
    with tempfile.TemporaryDirectory(prefix="dateline-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return FastEncoder.open(Path(folder), many=True).encode_passages


def loaded_original(identity: ModelIdentity) -> Embed:
    """What embeds with the original model, which must be found here. Raises ModelError, or ClusterError for another."""
    encoder = load_encoder(identity.name, "torch")
    if encoder.identity != identity:
        raise ClusterError(
            f"The model '{identity.name}' on {os.uname().nodename} is another than the one here. Copy it to the same"
            " place on every node, or leave out --encoder torch: an export is sent there by itself."
        )
    return encoder.encode_passages


def at_hand(encoder: Encoder) -> Embed:
    """What embeds with an encoder that travels as a whole."""
    return encoder.encode_passages
