"""A download comes whole and verified, or not at all; it goes on where it stopped."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time

import numpy as np
import pytest

from course_lib import data
from course_lib.data import download

CONTENT = np.random.default_rng(0).bytes(3_000_001)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` on loopback; can hang up early, slow down, or know no ranges."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"file.bin": CONTENT}
        self.ranges = True
        self.hang_up_after = None  # bytes of a response
        self.pause = 0  # seconds a block of 64 KiB
        self.asked = []  # (path, Range header or None)
        self.sent = 0  # bytes

    def url(self, name="file.bin"):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append((self.path, asked))
        body = server.files.get(self.path[1:])
        if body is None:
            return self.send_error(404)
        first = int(asked[6:-1]) if asked and server.ranges else 0
        if first >= len(body):
            return self.send_error(416)
        self.send_response(206 if first else 200)
        if first:
            span = f"bytes {first}-{len(body) - 1}/{len(body)}"
            self.send_header("Content-Range", span)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        for i in range(first, min(len(body), self.end(first)), 1 << 16):
            block = body[i : min(i + (1 << 16), self.end(first))]
            server.sent += len(block)  # first: the client may be done before we go on
            try:
                self.wfile.write(block)
            except ConnectionError:
                return None
            time.sleep(server.pause)
        self.close_connection = True

    def end(self, first):
        limit = self.server.hang_up_after
        return sys.maxsize if limit is None else first + limit

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_whole_file(server, tmp_path):
    download.download(server.url(), tmp_path / "new" / "file.bin", MD5)
    assert (tmp_path / "new" / "file.bin").read_bytes() == CONTENT
    assert files(tmp_path) == ["new", "new/file.bin"]


def test_lost_connection_is_resumed_at_the_missing_byte(server, tmp_path):
    server.hang_up_after = 1_300_000
    download.download(server.url(), tmp_path / "file.bin", MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    ranges = [asked for _, asked in server.asked]
    assert ranges == [None, "bytes=1300000-", "bytes=2600000-"]
    assert server.sent == len(CONTENT)


def test_gives_up_in_one_sentence_and_goes_on_when_called_again(server, tmp_path):
    server.hang_up_after = 500_000
    with pytest.raises(
        download.DataError, match=r"ended at 1,500,000 of 3,000,001"
    ) as e:
        download.download(server.url(), tmp_path / "file.bin", MD5)
    assert "same command" in str(e.value)
    assert "COURSE_DATA" in str(e.value)
    assert files(tmp_path) == ["file.bin.part"]
    server.hang_up_after = None
    download.download(server.url(), tmp_path / "file.bin", MD5)
    assert server.asked[-1][1] == "bytes=1500000-"
    assert server.sent == len(CONTENT)
    assert files(tmp_path) == ["file.bin"]


@pytest.mark.slow
def test_killed_download_continues(server, tmp_path):
    server.pause = 0.05
    code = (
        "import pathlib, sys; from course_lib.data.download import download;"
        "download(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3])"
    )
    target, part = tmp_path / "file.bin", tmp_path / "file.bin.part"
    child = subprocess.Popen(
        [sys.executable, "-c", code, server.url(), str(target), MD5],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.time() + 30
    while not (part.exists() and part.stat().st_size) and time.time() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    here = part.stat().st_size
    assert 0 < here < len(CONTENT)
    assert not target.exists()
    server.pause = 0
    download.download(server.url(), target, MD5)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1][1] == f"bytes={here}-"


def test_complete_part_is_only_verified(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    download.download(server.url(), tmp_path / "file.bin", MD5)
    assert server.sent == 0
    assert files(tmp_path) == ["file.bin"]


def test_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "file.bin.part").write_bytes(b"begun otherwise")
    download.download(server.url(), tmp_path / "file.bin", MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_wrong_content_leaves_nothing(server, tmp_path):
    server.files["file.bin"] = b"x" + CONTENT[1:]
    with pytest.raises(
        download.DataError, match=r"of .*file\.bin is damaged.*md5"
    ) as e:
        download.download(server.url(), tmp_path / "file.bin", MD5)
    assert MD5 in str(e.value)
    assert files(tmp_path) == []


def test_file_put_there_by_hand_is_verified_not_fetched(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    download.download(server.url(), tmp_path / "file.bin", MD5)
    assert server.asked == []


def test_a_wrong_file_put_there_by_hand_is_kept(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(
        download.DataError, match=r"file\.bin, which was there, is da"
    ) as e:
        download.download(server.url(), tmp_path / "file.bin", MD5)
    assert MD5 in str(e.value)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT[:-1]
    assert files(tmp_path) == ["file.bin"]
    assert server.asked == []


def test_not_found_is_asked_once(server, tmp_path):
    with pytest.raises(download.DataError, match=r"none\.tgz.*404 Not Found"):
        download.download(server.url("none.tgz"), tmp_path / "none.tgz", MD5)
    assert len(server.asked) == 1
    assert files(tmp_path) == []


def test_no_network_says_what_to_do(tmp_path):
    with Server() as server:
        url = server.url()  # a port where no one listens any more
    with pytest.raises(download.DataError, match=r"refused.*COURSE_DATA"):
        download.download(url, tmp_path / "file.bin", MD5)
    assert files(tmp_path) == []


def archive(folder, members):
    """Return the bytes of a .tgz: name -> content, below `folder`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def md5(content):
    return hashlib.md5(content).hexdigest()


def small_cifar10():
    """Return the archive of 12 images in CIFAR-10's own form, and its parts' md5."""
    rng = np.random.default_rng(1)

    def batch(labels):
        pixels = rng.integers(0, 256, (len(labels), 3072), dtype=np.uint8)
        return pickle.dumps({"data": pixels, "labels": labels})

    members = {
        "data_batch_1": batch([0, 1] * 4),
        "test_batch": batch([0, 1, 0, 1]),
        "batches.meta": pickle.dumps({"label_names": ["cat", "dog"]}),
    }
    return archive("cifar-10-batches-py", members), members


def test_cifar10_is_downloaded_verified_unpacked_and_loaded(
    server, tmp_path, monkeypatch
):
    from torchvision.datasets import CIFAR10

    packed, members = small_cifar10()
    server.files["small.tgz"] = packed
    sums = {name: md5(content) for name, content in members.items()}
    monkeypatch.setattr(CIFAR10, "url", server.url("small.tgz"))
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(packed))
    monkeypatch.setattr(CIFAR10, "train_list", [["data_batch_1", sums["data_batch_1"]]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = CIFAR10.meta | {"md5": sums["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)

    train, test = (data.load("cifar10", s, root=tmp_path) for s in ("train", "test"))
    assert (len(train), len(test), train.classes) == (6, 4, ("cat", "dog"))
    expected = pickle.loads(members["test_batch"])["data"].reshape(-1, 3, 32, 32)
    assert np.array_equal(test.images.numpy(), expected)
    assert len(server.asked) == 1  # the second load found what the first had fetched
    assert not list(tmp_path.glob("*.tgz")) + list(tmp_path.glob("*.part"))

    shutil.rmtree(tmp_path / "cifar-10-batches-py")
    (tmp_path / CIFAR10.filename).write_bytes(packed)
    assert data.load("cifar10", "test", root=tmp_path).digest == test.digest
    assert len(server.asked) == 1  # what was put there by hand is taken, and kept
    assert (tmp_path / CIFAR10.filename).read_bytes() == packed

    batch = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(data.DataError, match=r"cifar-10-batches-py is not a whole"):
        data.load("cifar10", root=tmp_path)


def idx(array):
    """Return the bytes of MNIST's file format."""
    head = bytes([0, 0, 8, array.ndim])
    return head + np.array(array.shape, ">i4").tobytes() + array.tobytes()


def test_fashion_mnist_appears_when_all_four_files_are_there(
    server, tmp_path, monkeypatch
):
    from torchvision.datasets import FashionMNIST

    rng = np.random.default_rng(2)
    resources = []
    for part in ("train", "t10k"):
        images = rng.integers(0, 256, (30, 28, 28), dtype=np.uint8)
        labels = np.arange(30, dtype=np.uint8) % 10
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            name, packed = f"{part}-{kind}-ubyte.gz", gzip.compress(idx(array))
            server.files[name] = packed
            resources.append((name, md5(packed)))
    monkeypatch.setattr(FashionMNIST, "mirrors", [server.url("")])
    monkeypatch.setattr(FashionMNIST, "resources", resources)

    last = server.files.pop(resources[-1][0])
    with pytest.raises(data.DataError, match=r"404"):
        data.load("fashion-mnist", root=tmp_path)
    assert download.find("fashion-mnist", tmp_path) is None
    server.files[resources[-1][0]] = last
    test = data.load("fashion-mnist", "test", root=tmp_path)
    assert np.array_equal(test.images[:, 0].numpy(), images)
    assert len(server.asked) == 5  # the three that had come were not asked for again


def test_two_processes_fetch_once(server, tmp_path, monkeypatch):
    packed = archive("some", {"a": b"1"})
    server.files["some.tgz"] = packed
    server.pause = 0.2

    def fetch_some(root):
        path = root / "some.tgz"
        download._fetch_archive(
            server.url("some.tgz"), path, md5(packed), root / "some"
        )

    monkeypatch.setitem(download.KNOWN, "some", download.Known(("some",), 1, ""))
    monkeypatch.setitem(download._FETCH, "some", fetch_some)
    threads = [
        threading.Thread(target=download.fetch, args=("some", tmp_path))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 1
    assert (tmp_path / "some" / "a").read_bytes() == b"1"


def test_archive_cannot_write_outside_its_folder(tmp_path):
    (tmp_path / "root").mkdir()
    packed = tmp_path / "root" / "bad.tgz"
    packed.write_bytes(archive("bad", {"../../../escaped": b"1"}))
    with pytest.raises(tarfile.TarError):
        download.unpack(packed, tmp_path / "root" / "bad")
    assert not list(tmp_path.rglob("escaped"))


def test_available_tells_what_is_here(tmp_path):
    (tmp_path / "cifar10.npz").write_bytes(b"12345")
    rows = {row.name: row for row in data.available(tmp_path)}
    assert rows["cifar10"].path == tmp_path / "cifar10.npz"
    assert rows["cifar10"].size == 5
    assert rows["imagenette"].path is None
    assert rows["imagenette"].how == "course data imagenette"
    assert rows["digits"].path.is_file()
    assert all(row.terms for row in rows.values())


def test_fetch_knows_its_names(tmp_path):
    with pytest.raises(data.DataError, match=r"'cifar'.*cifar10"):
        data.fetch("cifar", tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX")
def test_root_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(data.DataError, match=r"cannot be written.*COURSE_DATA"):
        data.fetch("cifar10", tmp_path / "file" / "data")
