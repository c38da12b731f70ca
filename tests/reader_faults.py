"""A reader for tests of the pool, which does to its process what a document says."""

import os
import signal
import time

from index.article import SetAside, make_article


def read_faultily(document, fields, begin):
    """Articles with the texts in the document, parted by "/"; some words do harm."""
    for word in document.data.decode().split("/")[begin:]:
        match word:
            case "hang":
                time.sleep(600)
            case "spin":
                while True:
                    pass
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "leave":
                os._exit(0)
            case "slow":
                time.sleep(0.5)
            case "hoard":
                try:
                    bytes(1_000 * 2**20)
                except MemoryError:
                    yield document.source, SetAside(document.source, "needs too much memory to read")
                    continue
        yield document.source, make_article(f"{word} {os.getpid()}", title=word)
