"""A real Milvus lent to a test, or the test skipped with the reason why there is none.

A fixture of a module yields from `with standalone_server(tmp_path_factory.mktemp("milvus")) as address:`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.environment import Unavailable
from cluster.milvus_cluster import Milvus, cluster, standalone


@contextmanager
def standalone_server(
    folder: Path, *, passwords: bool = False, certificate: tuple[Path, Path] | None = None
) -> Iterator[str]:
    """A Milvus of one process, empty; its host:port. See `milvus_cluster.standalone`."""
    with _or_skip(lambda at: standalone(at, passwords=passwords, certificate=certificate), folder) as milvus:
        yield milvus.hosts


@contextmanager
def role_cluster(folder: Path, *, apart: bool = True) -> Iterator[Milvus]:
    """A Milvus of one process for each role, empty, with two query nodes and two proxies."""
    with _or_skip(lambda at: cluster(at, apart), folder) as milvus:
        yield milvus


def _or_skip(start: Callable[[Path], Milvus], folder: Path) -> Milvus:
    if os.environ.get("DATELINE_CLUSTER") != "1":
        pytest.skip("takes minutes, and 250 MB on first use; DATELINE_CLUSTER=1 runs it")
    try:
        return start(folder)
    except Unavailable as reason:
        pytest.skip(f"no real Milvus server here: {reason}")
