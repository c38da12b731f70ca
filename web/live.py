"""The engine of a running server: opened beside the server, and always on the newest state of the index."""

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from index.database import settle_log
from index.encoder import Encoder, EncoderKind, load_encoder
from index.errors import DatelineError, IndexMissing, ModelError, QueryError, StoreUnavailable
from index.generation import live_generation
from index.place import Folder, Place
from search.engine import Engine
from search.hits import SearchResult
from search.query import SearchRequest
from search.rerank import Reranker

log = logging.getLogger(__name__)

# What cannot be opened now is tried again ever more rarely, because each try may cost a core for a while.
_LONGEST_PAUSE_SECONDS = 2.0
# Enough different real queries to touch what most searches need: vectors, both term indexes, the catalog.
_REMEMBERED = 8
# Where nobody has asked anything yet.
_FIRST_QUERY = SearchRequest("news of the day", as_of="2000-01-01")
# The state before is let go of once its searches are certainly done, so that none of them pays for closing it.
_KEPT_SECONDS = 2.0

_NO_INDEX = "There is no index yet. Build one with: dateline rebuild SOURCE"
_CANNOT = "The index cannot be opened; the server's log says why."


class NotReady(DatelineError):
    """The index is not open yet, or cannot be opened; the message says which."""


class WatchedEngine(Engine):
    """An engine that tells of every search what came of it, once somebody asks to be told."""

    watch: Callable[[SearchResult], None] | None = None

    def search(self, query: str | SearchRequest, **options: Any) -> SearchResult:
        """Searches, and tells."""
        result = super().search(query, **options)
        if self.watch:
            self.watch(result)
        return result


class LiveEngine:
    """Opens the index at a place in the background and follows its changes until stopped.

    A new state is opened and warmed up beside the one that answers; then one assignment switches, so searches wait
    for nothing and each sees one state. `rerank` names the cross-encoder that orders the first results, if there is
    to be one, and `encoder` says how the model is run. `watch` is told of every search, `failed` of every try to open
    the index that failed.
    """

    def __init__(
        self,
        place: Place | Path,
        rerank: str | None = None,
        encoder: EncoderKind = "auto",
        *,
        watch: Callable[[SearchResult], None] | None = None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._place = Folder(place) if isinstance(place, Path) else place
        self._rerank = rerank
        self._kind = encoder
        self._watch = watch
        self._failed = failed
        self._engine: Engine | None = None
        self._seen: Hashable = None
        self._begun_anew: Hashable = None
        self._encoders: dict[str | None, Encoder] = {}
        self._reranker: Reranker | None = None
        self._recent: deque[SearchRequest] = deque(maxlen=_REMEMBERED)
        self._reason = "The index is being opened. Try again in a moment."
        self._logged = ""
        self._trouble = ""
        self._stop = threading.Event()
        self._tried = threading.Event()
        self._follower = threading.Thread(target=self._follow, name="index-follower", daemon=True)

    def start(self, wait: float = 0) -> "LiveEngine":
        """Begins to open the index, and waits at most `wait` seconds until it is open or cannot be opened."""
        self._follower.start()
        self._tried.wait(wait)
        return self

    def stop(self) -> None:
        """Ends the following."""
        self._stop.set()

    def engine(self) -> Engine:
        """The engine on the newest state. Raises NotReady while there is none."""
        engine = self._engine
        if engine is None:
            raise NotReady(self._reason)
        return engine

    def ready(self) -> None:
        """Raises NotReady while there is no engine, or the server behind it does not answer as it should."""
        self.engine()
        if self._trouble:
            raise NotReady(self._trouble)

    def generation(self) -> str | None:
        """Names the state that is searched now; None while there is none."""
        engine = self._engine
        return engine.store.generation if engine else None

    def remember(self, request: SearchRequest) -> None:
        """Takes note of a search, so that the next state can be warmed up with what people ask."""
        self._recent.append(request)

    def look(self) -> bool:
        """Turns to the newest state of the index if there is a newer one; says whether it did.

        Raises what opening an index raises; the state before stays.
        """
        state = self._place.state()  # before opening: what is written meanwhile is for the next look
        if state == self._seen:
            return False
        self._turn_to(state)
        return True

    def begin_anew(self) -> bool:
        """Opens the same state again when the catalog's log has become long; says whether it did.

        A log is used again only when nobody reads from it, and a server that once began to read there always does.
        """
        if self._seen is None or self._seen == self._begun_anew or not isinstance(self._place, Folder):
            return False
        if not settle_log(live_generation(self._place.root).catalog):
            return False
        self._begun_anew = self._seen
        self._turn_to(self._seen)
        return True

    def _turn_to(self, state: Hashable) -> None:
        engine = self._open()
        self._warm_up(engine)
        engine.watch = self._watch
        before, self._engine, self._seen = self._engine, engine, state
        # The store is closed when nobody holds the engine any more: its last search is done.
        weakref.finalize(engine, engine.store.close)
        self._tried.set()
        if before:
            self._stop.wait(_KEPT_SECONDS)

    def _follow(self) -> None:
        pause = self._place.look_every
        while not self._stop.is_set():
            try:
                if self.look():
                    log.info("serving generation %s", self.generation())
                else:
                    self.begin_anew()
                pause, self._trouble = self._place.look_every, ""
            except DatelineError as error:
                self._failed()
                self._trouble = _CANNOT if isinstance(error, StoreUnavailable) else ""
                self._tell(str(error), _NO_INDEX if isinstance(error, IndexMissing) else _CANNOT)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            except Exception:  # the server answers from what it has; the next look may succeed
                self._failed()
                log.exception("the index could not be opened")
                self._tell(_CANNOT, _CANNOT)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            self._tried.set()
            self._stop.wait(pause)

    def _open(self) -> WatchedEngine:
        if self._rerank and self._reranker is None:
            self._reranker = Reranker.load(self._rerank)
        known = bool(self._encoders)
        try:
            return WatchedEngine.open(self._place, self._load, self._reranker)
        except ModelError:
            if not known:
                raise
            self._encoders.clear()  # another model may have the same name by now
            return WatchedEngine.open(self._place, self._load, self._reranker)

    def _load(self, name: str | None) -> Encoder:
        if name not in self._encoders:
            self._encoders[name] = load_encoder(name, kind=self._kind, beside=self._place.beside)
        return self._encoders[name]

    def _warm_up(self, engine: WatchedEngine) -> None:
        """Runs a few searches, so that files are mapped and read before anybody waits for it."""
        for request in list(self._recent) or [_FIRST_QUERY]:
            try:
                engine.search(request)
            except QueryError:  # it asked for a page that is not there any more
                continue

    def _tell(self, error: str, reason: str) -> None:
        """Logs an error if it is another than before, and keeps what visitors may know of it: no paths."""
        self._reason = reason
        if error != self._logged:
            self._logged = error
            log.warning("%s", error)
