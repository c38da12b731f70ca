"""The engine of a running server: opened beside the server, and always on the newest state of the index."""

import logging
import threading
from pathlib import Path

from index.errors import DatelineError
from search.engine import Engine
from search.rerank import Reranker

log = logging.getLogger(__name__)

# A change shows within about this many seconds.
_LOOK_EVERY = 0.5


class NotReady(DatelineError):
    """The index is not open yet, or cannot be opened; the message says which."""


class LiveEngine:
    """Opens the index at `root` in the background and follows its changes until stopped.

    `rerank` names the cross-encoder that orders the first results, if there is to be one.
    """

    def __init__(self, root: Path, rerank: str | None = None) -> None:
        self._root = root
        self._rerank = rerank
        self._engine: Engine | None = None
        self._reason = "The index is being opened. Try again in a moment."
        self._stop = threading.Event()
        self._follower = threading.Thread(target=self._follow, name="index-follower", daemon=True)

    def start(self) -> "LiveEngine":
        """Begins to open the index; returns at once."""
        self._follower.start()
        return self

    def stop(self) -> None:
        """Ends the following."""
        self._stop.set()

    def engine(self) -> Engine:
        """The engine on the newest state. Raises NotReady while there is none."""
        if self._engine is None:
            raise NotReady(self._reason)
        return self._engine

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                if self._engine is None:
                    reranker = Reranker.load(self._rerank) if self._rerank else None
                    self._engine = Engine.open(self._root, reranker=reranker)
                    log.info("serving generation %s", self._engine.store.generation)
                elif self._engine.refresh():
                    log.info("switched to generation %s", self._engine.store.generation)
            except DatelineError as error:
                self._tell(str(error))
            except Exception:  # the server answers from what it has; the next look may succeed
                log.exception("the index at %s could not be opened", self._root)
                self._tell("The index could not be opened; the server's log says why.")
            self._stop.wait(_LOOK_EVERY)

    def _tell(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            log.warning("%s", reason)
