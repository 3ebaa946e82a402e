"""Fetching: files found and verified, or downloaded from a server on this machine."""

import gzip
import hashlib
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from skhmc.datasets import _download, _fetch, clear_data_home, fetch_clus, get_data_home
from skhmc.datasets._clus_files import MAX_PUBLISHED, SHA256

ARFF = {
    split: f"""\
@RELATION tiny
@ATTRIBUTE x numeric
@ATTRIBUTE class hierarchical root/GO0003674,root/b,GO0003674/c,b/c
@DATA
{rows}
""".encode()
    for split, rows in [("train", "1,c\n2,b"), ("valid", "3,b"), ("test", "?,c")]
}
NAMES = [f"tiny_GO.{split}.arff.gz" for split in ARFF]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Make tiny_GO (an address is known) and tiny (none is) data sets; no proxies."""
    hashes = {split: hashlib.sha256(text).hexdigest() for split, text in ARFF.items()}
    monkeypatch.setitem(SHA256, "tiny_GO", hashes)
    monkeypatch.setitem(SHA256, "tiny", {s: hashes[s] for s in ("train", "test")})
    monkeypatch.delenv("SKHMC_CLUS_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    """Serve ``server.files``: name -> bytes, or (bytes, length to announce)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            found = server.files.get(self.path.removeprefix("/data/"))
            if found is None:
                return self.send_error(404)
            content, length = found if isinstance(found, tuple) else (found, len(found))
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files = {f"{n}.gz": gzip.compress(t) for n, t in plain_files().items()}
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}/data"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def plain_files(name="tiny_GO"):
    return {f"{name}.{split}.arff": ARFF[split] for split in SHA256[name]}


def files_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def check_tiny(data):
    np.testing.assert_array_equal(data.data, [[1], [2], [3], [np.nan]])
    assert data.label_names == ["GO0003674", "b", "c"]
    expected = [[1, 1, 1], [0, 1, 0], [0, 1, 0], [1, 1, 1]]
    np.testing.assert_array_equal(data.target.toarray(), expected)
    assert data.eval_mask.tolist() == [False, True, True]
    assert data.train.tolist() == [0, 1] and data.valid.tolist() == [2]
    assert data.test.tolist() == [3]
    assert "2 train, 1 valid, 1 test" in data.DESCR


# -- files in the data home --------------------------------------------------------


@pytest.mark.parametrize("folder", ["clus", "."])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_finds_files(tmp_path, monkeypatch, folder, suffix):
    (tmp_path / folder).mkdir(exist_ok=True)
    for name, text in plain_files().items():
        content = gzip.compress(text) if suffix else text
        (tmp_path / folder / f"{name}{suffix}").write_bytes(content)
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path, download_if_missing=False))
    monkeypatch.setenv("SKHMC_DATA_HOME", str(tmp_path))
    check_tiny(fetch_clus("tiny_GO", download_if_missing=False))


def test_without_valid_and_return_X_y(tmp_path, monkeypatch):
    monkeypatch.setitem(_fetch.ABOUT, "tiny", "made up.")
    for name, text in plain_files("tiny").items():
        (tmp_path / name).write_bytes(text)
    data = fetch_clus("tiny", data_home=tmp_path)
    assert data.valid.shape == (0,) and data.valid.dtype.kind == "i"
    assert data.train.tolist() == [0, 1] and data.test.tolist() == [2]
    X, Y = fetch_clus("tiny", data_home=tmp_path, return_X_y=True)
    np.testing.assert_array_equal(X, data.data)
    np.testing.assert_array_equal(Y.toarray(), data.target.toarray())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ARFF["test"], "has the SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}"),
        (gzip.compress(ARFF["train"])[:-9], "damaged or truncated gzip"),
        (gzip.compress(bytes(MAX_PUBLISHED + 1)), "it has more than 16777216 bytes"),
    ],
)
def test_changed_local_file(tmp_path, content, reason):
    (tmp_path / "tiny_GO.train.arff.gz").write_bytes(content)
    with pytest.raises(OSError, match=f"tiny_GO.train.arff.gz.*{reason}.*Delete the"):
        fetch_clus("tiny_GO", data_home=tmp_path)
    assert files_in(tmp_path) == ["tiny_GO.train.arff.gz"]


def test_a_damaged_file_does_not_hide_a_good_one(tmp_path):
    for name, text in plain_files().items():
        (tmp_path / name).write_bytes(text)
    (tmp_path / "tiny_GO.train.arff.gz").write_bytes(b"junk")
    assert fetch_clus("tiny_GO", data_home=tmp_path).data.shape == (4, 1)
    (tmp_path / "tiny_GO.train.arff").unlink()
    with pytest.raises(OSError, match="tiny_GO.train.arff.gz"):
        fetch_clus("tiny_GO", data_home=tmp_path)


def test_missing_without_download(tmp_path):
    message = "tiny_GO.train.arff.gz is missing .*by hand from https://dtai.*clus as t"
    with pytest.raises(FileNotFoundError, match=message):
        fetch_clus("tiny_GO", data_home=tmp_path / "home", download_if_missing=False)
    assert not (tmp_path / "home").exists()


def test_unknown_name():
    with pytest.raises(
        ValueError, match="Got the data set 'yeast', expected one of ce"
    ):
        fetch_clus("yeast")


# -- download ----------------------------------------------------------------------


def test_download(tmp_path, server):
    home = tmp_path / "new" / "home"
    check_tiny(fetch_clus("tiny_GO", data_home=home, base_url=server.url))
    assert files_in(home / "clus") == sorted(NAMES)
    n_asked = len(server.asked)
    check_tiny(fetch_clus("tiny_GO", data_home=home, base_url=server.url))
    assert len(server.asked) == n_asked == 3


def test_download_of_plain_files_from_the_environment_s_mirror(
    tmp_path, server, monkeypatch
):
    monkeypatch.setenv("SKHMC_CLUS_URL", server.url + "/")
    server.files = plain_files()
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path))
    assert files_in(tmp_path) == sorted(plain_files())


def test_download_of_missing_files_only(tmp_path, server):
    (tmp_path / "tiny_GO.train.arff").write_bytes(ARFF["train"])
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url))
    assert [path[-14:] for path in server.asked] == [".valid.arff.gz", "O.test.arff.gz"]


TRAIN = gzip.compress(ARFF["train"])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (gzip.compress(b"<html>moved</html>"), "SHA-256 [0-9a-f]{64}, expected"),
        (b"<html>moved</html>", "SHA-256 [0-9a-f]{64}, expected"),
        ((TRAIN[:40], len(TRAIN)), "40 bytes read"),
        (TRAIN[:40], "damaged or truncated gzip"),
        (gzip.compress(bytes(MAX_PUBLISHED + 1)), "it has more than 16777216 bytes"),
        (bytes(MAX_PUBLISHED + 1), "it has more than 16777216 bytes"),
        (None, r"404.*, nor http://127.*train.arff \(.*404"),
    ],
    ids=["other gzip", "html", "connection cut", "file cut", "packed", "long", "404"],
)
def test_bad_answers(tmp_path, server, answer, reason):
    server.files[NAMES[0]] = answer
    message = rf"(?s)download {server.url}/{NAMES[0]} \(.*{reason}.*Get the files by"
    with pytest.raises(OSError, match=message) as caught:
        fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url)
    page = "https://dtai.cs.kuleuven.be/clus/hmcdatasets/"
    guide = f"by hand from {page} and put them into {tmp_path / 'clus'} as {NAMES[0]}"
    assert guide in str(caught.value)
    assert files_in(tmp_path) == []


def test_cut_connection_is_tried_once_more(tmp_path, server):
    server.files[NAMES[0]] = (TRAIN[:40], len(TRAIN))
    with pytest.raises(OSError, match="Could not download"):
        fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url)
    assert server.asked == [f"/data/{NAMES[0]}"] * 2


def test_no_network(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(OSError, match=f"download {url}/tiny_GO.*refused.*by hand"):
            fetch_clus("tiny_GO", data_home=tmp_path, base_url=url)
    assert files_in(tmp_path) == []


def test_server_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(_download, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OSError, match="tiny_GO.train.*timed out.*by hand"):
            fetch_clus("tiny_GO", data_home=tmp_path, base_url=url)


def test_address_that_is_none(tmp_path):
    with pytest.raises(OSError, match="unknown url type: 'nonsense/.*by hand"):
        fetch_clus("tiny_GO", data_home=tmp_path, base_url="nonsense")


def test_folder_that_cannot_be_made(tmp_path, server):
    (tmp_path / "clus").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="clus.*by hand"):
        fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url)


def test_no_known_address(tmp_path):
    message = "no public address of tiny is known. Get the files by hand and put them"
    with pytest.raises(OSError, match=message):
        fetch_clus("tiny", data_home=tmp_path)


def test_two_downloads_at_once(tmp_path, server):
    results = []

    def fetch():
        results.append(fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url))

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for data in results:
        check_tiny(data)
    assert files_in(tmp_path) == sorted(NAMES)


# -- data home ---------------------------------------------------------------------


def test_get_data_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SKHMC_DATA_HOME", raising=False)
    assert get_data_home() == str(tmp_path / "skhmc_data")
    assert get_data_home("~/there") == str(tmp_path / "there")
    monkeypatch.setenv("SKHMC_DATA_HOME", "~/elsewhere")
    assert get_data_home() == str(tmp_path / "elsewhere")
    assert get_data_home(tmp_path) == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_clear_data_home(tmp_path, server):
    home = tmp_path / "home"
    fetch_clus("tiny_GO", data_home=home, base_url=server.url)
    (home / "clus" / f"{NAMES[0]}.0123.part").write_text("left by a killed process")
    clear_data_home(home)
    assert not home.exists()
    clear_data_home(home)


def test_clear_data_home_keeps_what_is_not_ours(tmp_path, server):
    fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url)
    (tmp_path / "clus" / "notes.txt").write_text("mine")
    (tmp_path / "tiny_GO.train.arff").write_text("mine too")
    clear_data_home(tmp_path)
    assert files_in(tmp_path) == ["notes.txt", "tiny_GO.train.arff"]


def test_importing_makes_no_folder_and_loads_no_torch(tmp_path):
    code = "import sys, skhmc.datasets; assert 'torch' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert list(tmp_path.iterdir()) == []
