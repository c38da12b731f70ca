"""A real Milvus as separate processes starts, is well, survives the loss of a role, and leaves nothing behind."""

from pathlib import Path

import pytest

from cluster.environment import Unavailable
from cluster.milvus_cluster import ROLES
from cluster.processes import free_ports, says_ok, wait_for
from cluster.servers import role_cluster


@pytest.fixture(scope="module")
def milvus(tmp_path_factory):
    with role_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_every_role_is_a_process_that_is_well(milvus):
    assert milvus.programs.keys() == {"etcd", "kafka", *ROLES}
    assert all(says_ok(milvus.programs[name].health) for name in ROLES)
    assert len({program.process.pid for program in milvus.programs.values()}) == len(ROLES) + 2


def test_it_answers_at_two_proxies(milvus):
    pymilvus = pytest.importorskip("pymilvus")
    for address in milvus.addresses:
        client = pymilvus.MilvusClient(f"http://{address}", timeout=10, dedicated=True)
        assert client.get_server_version().startswith("v2.3.5")
        client.close()
    assert len(milvus.addresses) == 2


def test_a_killed_role_comes_back(milvus):
    before = milvus.programs["querynode-1"].process.pid
    milvus.kill("querynode-1")
    assert not says_ok(milvus.programs["querynode-1"].health)
    milvus.restart("querynode-1")
    assert milvus.programs["querynode-1"].process.pid != before


def test_nothing_is_left_behind(tmp_path):
    with role_cluster(tmp_path) as milvus:
        processes = [program.process.pid for program in milvus.programs.values()]
        network = milvus.network
    assert not [number for number in processes if Path(f"/proc/{number}").exists()]
    assert network is None or not Path(f"/sys/class/net/{network.name}").exists()


def test_without_etcd_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(Unavailable, match="etcd-server"):
        from cluster.milvus_cluster import cluster

        cluster(tmp_path)


def test_free_ports_differ():
    assert len(set(free_ports(50))) == 50


def test_waiting_has_an_end():
    assert not wait_for(lambda: False, 0.2)
