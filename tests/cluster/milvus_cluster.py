"""A real Milvus 2.3.5 on this machine, in one process or in one for each role.

    python tests/cluster/milvus_cluster.py standalone --at FOLDER
    python tests/cluster/milvus_cluster.py cluster --at FOLDER

runs one until it is interrupted, says where it answers, and writes that and the process numbers to
FOLDER/cluster.json. What stands in for what a production cluster has: librdkafka's mock for Kafka (in memory),
one folder of this machine for the object storage. etcd is Debian's `etcd-server`.
"""

import argparse
import json
import re
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

if __name__ == "__main__":  # a command, too
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.environment import Environment, Unavailable, environment
from cluster.network import Network, NoNamespaces
from cluster.processes import Died, Program, free_ports, wait_for

READY_SECONDS = 120
"Ten to twenty seconds on a quiet machine with two cores."
SESSION_SECONDS = 10
"How long a lost role stays on the books in etcd. Milvus's default of 30 s only makes tests wait longer."

ROLES = {
    "rootcoord": "rootcoord", "datacoord": "datacoord", "querycoord": "querycoord",
    "datanode": "datanode", "indexnode": "indexnode",
    "querynode-1": "querynode", "querynode-2": "querynode",
    "proxy-1": "proxy", "proxy-2": "proxy",
}  # fmt: skip
"Name → Milvus's word for the role."
SECTIONS = {
    "rootcoord": "rootCoord", "datacoord": "dataCoord", "querycoord": "queryCoord", "datanode": "dataNode",
    "indexnode": "indexNode", "querynode": "queryNode", "proxy": "proxy",
}  # fmt: skip
"Role → its section of milvus.yaml."
PORTS = (19530, 19529, 9091)
"A role's port, a proxy's second one, and the one for health and metrics, where each role has its own network."

Settings = dict[str, Any]


@dataclass(slots=True)
class Milvus:
    """A Milvus: its programs by name in the order in which they start, and the addresses at which it answers."""

    folder: Path
    programs: dict[str, Program] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    network: Network | None = None
    apart: str = "all in one network"
    "Whether each role has a network of its own, and if not, why."

    def __enter__(self) -> "Milvus":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def hosts(self) -> str:
        """Where it answers, as the address of a store has it: host:port,host:port."""
        return ",".join(self.addresses)

    def restart(self, *names: str) -> None:
        """Start programs, again or for the first time, and wait until each says that it is well."""
        for name in names:
            self.programs[name].start()
        deadline = time.monotonic() + READY_SECONDS
        for name in names:
            self.programs[name].wait_until_ready(deadline)

    def kill(self, *names: str) -> None:
        """SIGKILL to these programs."""
        for name in names:
            self.programs[name].kill()

    def stop(self) -> None:
        """End everything. Nobody needs the data afterwards, so nobody is asked to put it in order first."""
        self.kill(*self.programs)
        if self.network is not None:
            self.network.close()
            self.network = None

    def describe(self) -> None:
        """Write down where it answers and which process is which, for people."""
        processes = {name: one.process.pid for name, one in self.programs.items() if one.process}
        described = {"addresses": self.addresses, "network": self.apart, "processes": processes}
        (self.folder / "cluster.json").write_text(json.dumps(described, indent=2) + "\n")


def standalone(folder: Path, *, passwords: bool = False, certificate: tuple[Path, Path] | None = None) -> Milvus:
    """One process with everything in it, ready. Unavailable where that can't be; Died where it doesn't start.

    With `passwords` it wants to know who asks (at first there is root:Milvus); `certificate` and its key, both PEM,
    have it speak TLS.
    """
    found, milvus = environment(), Milvus(folder)
    etcd, peer, metrics, proxy, internal, *ports = free_ports(5 + len(SECTIONS))
    _write(folder / "etcd.yaml", {"name": "default", "data-dir": str(folder / "etcd"), **_etcd_urls(etcd, peer)})
    settings = _settings(found, folder, f"127.0.0.1:{etcd}")
    settings["etcd"] |= {"use": {"embed": True}, "config": {"path": str(folder / "etcd.yaml")}}
    settings["mq"]["type"], settings["rocksmq"]["path"] = "rocksmq", str(folder / "rocksmq")
    for section, port in zip(SECTIONS.values(), ports, strict=True):
        settings[section] |= {"ip": "127.0.0.1", "port": port}
    settings["proxy"] |= {"port": proxy, "internalPort": internal}
    settings["common"]["security"] = {"authorizationEnabled": passwords, "tlsMode": 1 if certificate else 0}
    if certificate:
        settings["tls"] = {"serverPemPath": str(certificate[0]), "serverKeyPath": str(certificate[1])}
    milvus.addresses.append(f"127.0.0.1:{proxy}")
    milvus.programs["standalone"] = _role(found, folder, "standalone", "standalone", settings, f"127.0.0.1:{metrics}")
    return _started(milvus)


def cluster(folder: Path, apart: bool = True) -> Milvus:
    """Each role a process, with etcd and Kafka's stand-in, ready. Unavailable where that can't be.

    `apart`: give each role a network namespace, where this machine lets us.
    """
    if not (etcd := shutil.which("etcd")):
        raise Unavailable("there is no program `etcd` here (Debian: apt-get install etcd-server)")
    found, milvus = environment(), Milvus(folder)
    try:
        places = _places(milvus, apart)
        host = milvus.network.gateway if milvus.network else "127.0.0.1"
        client, peer = free_ports(2)
        urls = [part for name, url in _etcd_urls(client, peer, host).items() for part in (f"--{name}", url)]
        milvus.programs["etcd"] = Program(
            "etcd", [etcd, "--data-dir", str(folder / "etcd"), "--log-level", "warn", *urls], folder=folder,
            health=f"http://{host}:{client}/health",
        )  # fmt: skip
        milvus.restart("etcd")
        settings = _settings(found, folder, f"{host}:{client}")
        settings["mq"]["type"] = "kafka"
        settings["kafka"] = {"brokerList": _kafka(milvus, found)}
        for name, role in ROLES.items():
            _add_role(milvus, found, settings, name, role, places[name])
    except BaseException:
        milvus.stop()
        raise
    return _started(milvus)


def _started(milvus: Milvus) -> Milvus:
    try:
        milvus.restart(*(name for name, program in milvus.programs.items() if not program.running))
    except BaseException:
        milvus.stop()
        raise
    milvus.describe()
    return milvus


def _places(milvus: Milvus, apart: bool) -> dict[str, tuple[str | None, str]]:
    """For each role its namespace, if any, and its address."""
    if apart:
        try:
            milvus.network = Network.open()
            namespaces = {name: milvus.network.add() for name in ROLES}
            milvus.apart = "each role in a network namespace of its own"
            return {name: (namespace, milvus.network.members[namespace]) for name, namespace in namespaces.items()}
        except NoNamespaces as reason:
            if milvus.network:
                milvus.network.close()
            milvus.network, milvus.apart = None, f"all in one network: {reason}"
    return dict.fromkeys(ROLES, (None, "127.0.0.1"))


def _kafka(milvus: Milvus, found: Environment) -> str:
    """Start Kafka's stand-in; returns its address, which it chooses itself."""
    told = milvus.folder / "kafka.address"
    namespaces = milvus.network.members if milvus.network else ()
    milvus.programs["kafka"] = kafka = Program(
        "kafka", [str(found.python), str(Path(__file__).with_name("kafka_mock.py")), str(told), *namespaces],
        folder=milvus.folder,
    )  # fmt: skip
    kafka.start()
    if not wait_for(lambda: told.exists() or not kafka.running, READY_SECONDS) or not told.exists():
        raise Died(f"Kafka's stand-in did not start: {kafka.last_words()}")
    return told.read_text()


def _add_role(
    milvus: Milvus, found: Environment, settings: Settings, name: str, role: str, place: tuple[str | None, str]
) -> None:
    namespace, address = place
    port, internal, metrics = PORTS if namespace else free_ports(len(PORTS))
    own = {"ip": address, "port": port}
    if role == "proxy":
        own["internalPort"] = internal
        milvus.addresses.append(f"{address}:{port}")
    mine = {**settings, SECTIONS[role]: {**settings[SECTIONS[role]], **own}}
    milvus.programs[name] = _role(found, milvus.folder, name, role, mine, f"{address}:{metrics}", namespace)


def _role(
    found: Environment, folder: Path, name: str, role: str, settings: Settings, metrics: str,
    namespace: str | None = None,
) -> Program:  # fmt: skip
    """A program of Milvus, whose configuration stands in a folder of its own."""
    home = folder / "roles" / name
    _write(home / "configs" / "milvus.yaml", settings)
    shutil.copy(found.folder / "glog.conf", home / "configs" / "glog.conf")
    (home / "logs").mkdir(exist_ok=True)
    environment = {
        "MILVUSCONF": str(home / "configs"),
        "MILVUS_RUN_DIR": str(home),
        "LD_LIBRARY_PATH": str(found.programs),
        "DEPLOY_MODE": "STANDALONE" if role == "standalone" else "DISTRIBUTED",
        "METRICS_PORT": metrics.rpartition(":")[2],
    }
    command = [str(found.milvus), "run", role, "-alias", name]
    return Program(
        name, command, environment, folder=home, namespace=namespace, health=f"http://{metrics}/healthz"
    )  # fmt: skip


def _settings(found: Environment, folder: Path, etcd: str) -> Settings:
    """The package's own configuration with its blanks filled: defaults, but for where things are."""
    blank = re.compile(r"\{\{[^:}]*:?\s*([^}]*?)\s*\}\}")
    settings: Settings = yaml.safe_load(blank.sub(r"\1", found.template.read_text(encoding="utf-8")))
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    settings["etcd"] |= {"endpoints": etcd, "use": {"embed": False}, "data": {"dir": str(folder / "etcd")}}
    settings["localStorage"]["path"] = str(data)
    settings["common"] |= {"storageType": "local"}
    settings["common"]["session"]["ttl"] = SESSION_SECONDS
    settings["log"] |= {"level": "warn"}
    settings["log"]["file"]["rootPath"] = ""
    return settings


def _etcd_urls(client: int, peer: int, host: str = "127.0.0.1") -> dict[str, str]:
    return {
        **dict.fromkeys(("listen-client-urls", "advertise-client-urls"), f"http://{host}:{client}"),
        **dict.fromkeys(("listen-peer-urls", "initial-advertise-peer-urls"), f"http://127.0.0.1:{peer}"),
        "initial-cluster": f"default=http://127.0.0.1:{peer}",
    }


def _write(path: Path, settings: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")


def main() -> None:
    """Run a Milvus until it is interrupted."""
    parser = argparse.ArgumentParser(description="Run a real Milvus 2.3.5 until interrupted.")
    parser.add_argument("kind", choices=["standalone", "cluster"])
    parser.add_argument("--at", type=Path, required=True, metavar="FOLDER", help="for its data, logs and cluster.json")
    parser.add_argument("--one-network", action="store_true", help="no network namespaces")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = asked.at.absolute()
    try:
        begun = time.monotonic()
        milvus = standalone(folder) if asked.kind == "standalone" else cluster(folder, not asked.one_network)
    except (Unavailable, Died) as reason:
        sys.exit(str(reason))
    with milvus:
        print(f"Milvus answers at {milvus.hosts} after {time.monotonic() - begun:.0f} s, {milvus.apart}")
        print(f"milvus://{milvus.hosts}/news", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("stopping")


if __name__ == "__main__":
    main()
