"""A Kafka in memory, from librdkafka's own tests: `python kafka_mock.py ADDRESS_FILE [NAMESPACE …]`.

It runs in the environment that has confluent_kafka. The mock listens at 127.0.0.1 and tells its clients so;
for programs in other network namespaces, a door is opened at the same address in each of theirs.
Where it listens is written to ADDRESS_FILE once it does. Nothing is kept on a disk: for tests only.
"""

import ctypes
import os
import select
import socket
import sys
import threading
from pathlib import Path

from confluent_kafka import Producer

CLONE_NEWNET = 0x40000000
PORTION = 1 << 16


def main(address_file: str, *namespaces: str) -> None:
    # One partition a topic: Milvus makes a topic for each channel and reads its partition 0.
    mock = Producer({"test.mock.num.brokers": 1, "client.id": "mock"})
    brokers = mock.list_topics(timeout=10).brokers
    host, port = next((broker.host, broker.port) for broker in brokers.values())
    for namespace in namespaces:
        door = _listen_in(namespace, port)
        threading.Thread(target=_let_in, args=(door, port), daemon=True).start()
    ready = Path(address_file + ".new")
    ready.write_text(f"{host}:{port}")
    ready.rename(address_file)
    while True:
        mock.poll(3600)


def _listen_in(namespace: str, port: int) -> socket.socket:
    """A socket belongs to the namespace that its maker was in; the thread goes there and comes back."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    try:
        return socket.create_server(("127.0.0.1", port), backlog=64)
    finally:
        if libc.setns(home, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot come back")


def _let_in(door: socket.socket, port: int) -> None:
    while True:
        guest, _ = door.accept()
        threading.Thread(target=_carry, args=(guest, port), daemon=True).start()


def _carry(guest: socket.socket, port: int) -> None:
    with guest, socket.create_connection(("127.0.0.1", port)) as broker:
        for one in (guest, broker):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other = {guest: broker, broker: guest}
        while True:
            for ready in select.select([guest, broker], [], [])[0]:
                try:
                    if not (portion := ready.recv(PORTION)):
                        return
                    other[ready].sendall(portion)
                except OSError:
                    return


if __name__ == "__main__":
    main(*sys.argv[1:])
