"""A server that speaks TLS only and wants a password: who has both gets in, nobody else."""

import shutil
import subprocess

import pytest
from sample import ARTICLES, FakeEncoder, write_jsonl

from cluster.servers import standalone_server
from index.build import rebuild
from index.errors import StoreUnavailable
from index.milvus.address import StoreAddress

pytest.importorskip("pymilvus", reason="pip install 'dateline[milvus]' brings it")


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """The server's host:port, and the PEM file that vouches for it."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl here to make a certificate with")
    folder = tmp_path_factory.mktemp("secured")
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    with standalone_server(folder / "milvus", passwords=True, certificate=(certificate, key)) as address:
        yield address, certificate


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder, encoder = tmp_path_factory.mktemp("indexed"), FakeEncoder()
    rebuild(folder / "index", [str(write_jsonl(folder / "a.jsonl", ARTICLES))], lambda name, **_: encoder)
    return folder / "index"


def at(secured, user="root:Milvus@", scheme="milvus+tls", ca=True, deadline=3):
    address, certificate = secured
    return StoreAddress.parse(
        f"{scheme}://{user}{address}/news?attempt=2&deadline={deadline}{f'&ca={certificate}' if ca else ''}"
    )


def test_with_password_and_certificate_it_serves(secured, root):
    from index.milvus.publishing import publish
    from index.milvus.store import MilvusStore

    published = publish(root, at(secured, deadline=20))
    store = MilvusStore.open(at(secured))
    assert store.counts().articles == published.articles == len(ARTICLES)


@pytest.mark.parametrize(
    "wrong",
    [{"user": "root:guessed@"}, {"user": ""}, {"ca": False}, {"scheme": "milvus"}],
    ids=["a wrong password", "no password", "a server that nobody vouches for", "no TLS"],
)
def test_nobody_else_gets_in(secured, wrong):
    from index.milvus.store import MilvusStore

    with pytest.raises(StoreUnavailable) as refused:
        MilvusStore.open(at(secured, **wrong))
    assert "guessed" not in str(refused.value)
