"""A network namespace for each role, on one bridge: an address of its own, and a cable that can be pulled."""

import contextlib
import os
import re
import secrets
import subprocess
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

_NUMBERS = count()


class NoNamespaces(Exception):
    """Network namespaces can't be made here; the message says why."""


@dataclass(slots=True)
class Network:
    """A bridge at `gateway`, which this machine itself has, and the namespaces that hang on it."""

    name: str
    prefix: str
    members: dict[str, str] = field(default_factory=dict)
    "Namespace → its address."

    @classmethod
    def open(cls) -> "Network":
        """A new bridge, with a range of addresses that nobody else here is likely to have."""
        if os.geteuid():
            raise NoNamespaces("only root may make network namespaces")
        _sweep()
        name = f"dl{os.getpid():x}g{next(_NUMBERS)}"
        network = cls(name, f"10.{secrets.randbelow(100) + 120}.{secrets.randbelow(256)}")
        try:
            _ip("link", "add", name, "type", "bridge")
            _ip("address", "add", f"{network.gateway}/24", "dev", name)
            _ip("link", "set", name, "up")
        except NoNamespaces:
            network.close()
            raise
        return network

    @property
    def gateway(self) -> str:
        return f"{self.prefix}.1"

    def add(self) -> str:
        """A new namespace with an address on the bridge; returns its name."""
        number = len(self.members) + 2
        namespace, inside, outside = f"{self.name}-{number}", f"{self.name}i{number}", f"{self.name}o{number}"
        address = f"{self.prefix}.{number}"
        self.members[namespace] = address
        _ip("netns", "add", namespace)
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", namespace)
        _ip("link", "set", outside, "master", self.name, "up")
        for command in (
            ("address", "add", f"{address}/24", "dev", inside),
            ("link", "set", inside, "up"),
            ("link", "set", "lo", "up"),
            ("route", "add", "default", "via", self.gateway),
        ):
            _ip("-n", namespace, *command)
        return namespace

    def pull_the_cable(self, namespace: str) -> None:
        """What is sent to it or by it is lost without a word, until `plug_in`."""
        _ip("link", "set", f"{self.name}o{namespace.rpartition('-')[2]}", "down")

    def plug_in(self, namespace: str) -> None:
        _ip("link", "set", f"{self.name}o{namespace.rpartition('-')[2]}", "up")

    def close(self) -> None:
        """Take everything away again, whatever of it there is."""
        for namespace in self.members:
            with contextlib.suppress(NoNamespaces):
                _ip("netns", "delete", namespace)  # its cable goes with it
        with contextlib.suppress(NoNamespaces):
            _ip("link", "delete", self.name)


def _sweep() -> None:
    """Take away what processes left that were killed: a network's name says whose it was."""
    links = _ip("-oneline", "link", "show", "type", "bridge")
    for name, owner in re.findall(r"\b(dl([0-9a-f]+)g\d+):", links):
        if not Path(f"/proc/{int(owner, 16)}").exists():
            namespaces = re.findall(rf"^{name}-\d+", _ip("netns", "list"), re.MULTILINE)
            Network(name, "", dict.fromkeys(namespaces, "")).close()


def _ip(*arguments: str) -> str:
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=10)
    except FileNotFoundError as missing:
        raise NoNamespaces("there is no program `ip` (Debian: iproute2)") from missing
    if done.returncode:
        raise NoNamespaces(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
