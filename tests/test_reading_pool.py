import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from reader_faults import read_faultily

from index.article import Article, Receipt, SetAside
from index.reading.documents import Document
from index.reading.pool import Limits, read_all

# Long enough for a loaded machine to read a word, short enough for a test.
SECONDS = 1.5
MEBIBYTE = 2**20


def documents(*words):
    return [Document(f"{number}", "text", word.encode(), 10) for number, word in enumerate(words)]


def read(*words, memory=200 * MEBIBYTE, workers=2):
    limits = Limits(SECONDS, memory)
    return list(read_all(documents(*words), workers, limits=limits, reader=read_faultily))


def outcome(items):
    return [item.content.title if isinstance(item.content, Article) else item.content.reason for item in items]


def test_order_is_kept_and_two_processes_share_the_work():
    words = [f"{'slow' if number == 0 else 'word'}" for number in range(60)]
    items = read(*words)
    assert [item.source for item in items] == [str(number) for number in range(60)]
    processes = {item.content.text.split()[-1] for item in items}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


def test_document_that_hangs_is_set_aside_and_its_company_is_read():
    assert outcome(read("one", "hang", "two")) == ["one", "took longer than 1.5 s to read", "two"]


def test_document_that_keeps_the_processor_busy_is_set_aside():
    assert outcome(read("spin", "one", workers=1)) == ["took longer than 1.5 s to read", "one"]


def test_document_that_crashes_its_process_is_set_aside_and_its_company_is_read():
    words = ["word"] * 20 + ["crash"] + ["word"] * 20
    expected = ["reading it crashed the reader" if word == "crash" else word for word in words]
    items = read(*words)
    assert outcome(items) == expected
    assert [item.weight for item in items] == [10] * 41


def test_crash_in_a_list_of_records_keeps_those_before_it_out_of_harm():
    assert outcome(read("one/two", "three/crash")) == ["one", "two", "reading it crashed the reader"]


def test_document_that_needs_too_much_memory_is_set_aside():
    assert outcome(read("hoard", "one"))[:2] == ["needs too much memory to read", "one"]


def test_real_json_beyond_the_memory_limit_is_set_aside():
    bomb = Document("bomb", "json", b"[" + b"[]," * 3_000_000 + b"[]]", 9_000_000)
    record = Document("record", "json", json.dumps({"title": "T", "text": "Some words."}).encode(), 10)
    items = list(read_all([bomb, record], 1, limits=Limits(30, 100 * MEBIBYTE)))
    assert outcome(items) == ["needs too much memory to read", "T"]


def test_long_list_is_read_in_stretches_and_none_is_lost_or_read_twice():
    records = [{"title": f"T{number}", "text": "Some words."} for number in range(25_000)]
    data = json.dumps(records).encode()
    items = list(read_all([Document("list", "json", data, len(data))], 1))
    assert [item.content.title for item in items] == [record["title"] for record in records]
    assert [item.source for item in items[:2]] == ["list:1", "list:2"]
    assert sum(item.weight for item in items) == len(data)


def test_what_is_no_document_passes_through_in_its_place_without_starting_a_process():
    receipt, aside = Receipt("https://a.example/feed"), SetAside("b", "gone")
    items = list(read_all([receipt, aside], 2, reader=None))
    assert [item.content for item in items] == [receipt, aside]
    first, *_, last = documents("one", "two", "three")
    mixed = list(read_all([first, receipt, last, aside], 1, reader=read_faultily))
    assert [item.content if not isinstance(item.content, Article) else item.source for item in mixed] == [
        "0", receipt, "2", aside,
    ]  # fmt: skip


def test_no_more_is_taken_than_can_be_held():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield Document("d", "text", b"word " * 2_000_000, 1)

    items = read_all(endless(), 2, reader=read_nothing)
    for _ in range(3):
        next(items)
    items.close()
    assert taken <= 15  # 10 MB each: 64 MiB out, one task being gathered


def read_nothing(document, fields, begin):
    yield document.source, SetAside(document.source, "nothing")


PROGRAM = """
    import sys
    from reader_faults import read_faultily
    from index.reading.documents import Document
    from index.reading.pool import read_all

    if __name__ == "__main__":
        documents = (Document(str(n), "text", sys.argv[1].encode(), 1) for n in range(100_000))
        print("started", flush=True)
        try:
            for item in read_all(documents, 2, reader=read_faultily):
                pass
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


@pytest.fixture
def program(tmp_path):
    """Starts a reading program in a process group of its own."""
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    here = Path(__file__).parent
    started = []

    def start(word):
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "program.py"), word],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"},
            # A shell that runs tests in the background has them ignore interrupts, and so would this.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "started\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def living(group):
    """The processes of a group that are running."""
    states = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        states += [fields[0]] if int(fields[2]) == group and fields[0] != "Z" else []
    return len(states)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc which processes there are")


@needs_proc
@pytest.mark.parametrize(("word", "after"), [("slow", 0.2), ("spin", 1.2)])
def test_interrupt_ends_all_processes_at_once_and_without_noise(program, word, after):
    process = program(word)
    time.sleep(after)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    shown, noise = process.communicate(timeout=20)
    assert (shown, noise) == ("interrupted\n", "")
    assert time.monotonic() - began < 5
    assert gone(process.pid)


@needs_proc
@pytest.mark.parametrize("word", ["slow", "spin"])
def test_no_process_outlives_a_parent_that_was_killed(program, word):
    process = program(word)
    time.sleep(1.2)
    assert living(process.pid) >= 3
    process.kill()
    assert gone(process.pid)


def gone(group):
    until = time.monotonic() + 10
    while living(group) and time.monotonic() < until:
        time.sleep(0.05)
    return not living(group)
