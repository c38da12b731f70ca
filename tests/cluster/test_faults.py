"""Every fault of `cluster.faults` on a real cluster: no wrong answer, no article lost, and all well again.

Takes minutes and both cores, so only `DATELINE_CLUSTER=1 pytest tests/cluster` runs it.
"""

import os
import sys
from dataclasses import asdict
from importlib.util import find_spec

import pytest

if os.environ.get("DATELINE_CLUSTER") != "1":
    pytest.skip("takes twenty minutes; DATELINE_CLUSTER=1 runs it", allow_module_level=True)
if find_spec("pymilvus") is None:
    pytest.skip("pymilvus is not installed; pip install 'dateline[milvus]' brings it", allow_module_level=True)

from cluster.environment import Unavailable
from cluster.faults import FAULTS, scene, table, try_out


@pytest.fixture(scope="module")
def on(tmp_path_factory):
    try:
        with scene(tmp_path_factory.mktemp("faults")) as there:
            yield there
    except Unavailable as reason:
        pytest.skip(f"no real Milvus cluster here: {reason}")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_is_lost_and_no_answer_wrong(on, fault):
    if fault.needs_namespaces and not on.milvus.network:
        pytest.skip(f"needs network namespaces, and the roles are {on.milvus.apart}")
    outcome = try_out(fault, on)
    print(table([outcome]), file=sys.stderr)
    assert outcome.is_harmless, asdict(outcome)
