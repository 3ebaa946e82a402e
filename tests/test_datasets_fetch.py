"""Fetching: files found and verified, or downloaded from a server on this machine."""

import gzip
import hashlib
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from skhmc.datasets import _download, _fetch, clear_data_home, fetch_clus, get_data_home
from skhmc.datasets._clus_files import MAX_PUBLISHED, MIRRORS, SHA256, path_there

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
KEPT = [f"tiny_GO.{split}.arff" for split in ARFF]
NAMES = [f"{name}.gz" for name in KEPT]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Make tiny_GO and tiny data sets; no proxies, and no waiting between tries."""
    hashes = {split: hashlib.sha256(text).hexdigest() for split, text in ARFF.items()}
    monkeypatch.setitem(SHA256, "tiny_GO", hashes)
    monkeypatch.setitem(SHA256, "tiny", {s: hashes[s] for s in ("train", "test")})
    monkeypatch.delenv("SKHMC_CLUS_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def server():
    """Serve ``server.files``: path -> bytes, (bytes, length to announce) or a status.

    A list holds one answer after the other, the last one for good.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            found = server.files.get(self.path.removeprefix("/data/"), 404)
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
            if isinstance(found, int):
                return self.send_error(found)
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
        (gzip.compress(ARFF["train"], mtime=0)[:-9], "damaged or truncated gzip"),
        (
            gzip.compress(bytes(MAX_PUBLISHED + 1), mtime=0),
            "it has more than 16777216 bytes",
        ),
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
    message = "tiny_GO.train.arff is missing .*by hand from https://raw.*clus as t"
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
    assert files_in(home / "clus") == sorted(KEPT)
    for name, text in plain_files().items():
        assert (home / "clus" / name).read_bytes() == text
        assert (home / "clus" / name).stat().st_mode & 0o777 == 0o644
    n_asked = len(server.asked)
    check_tiny(fetch_clus("tiny_GO", data_home=home, base_url=server.url))
    assert len(server.asked) == n_asked == 3


def test_download_of_plain_files_from_the_environment_s_mirrors(
    tmp_path, server, monkeypatch
):
    monkeypatch.setenv("SKHMC_CLUS_URL", f"{server.url}/empty/ {server.url}/")
    server.files = plain_files()
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path))
    assert files_in(tmp_path) == sorted(KEPT)
    first = [f"/data/empty/{NAMES[0]}", f"/data/empty/{KEPT[0]}"]
    assert server.asked[:4] == [*first, f"/data/{NAMES[0]}", f"/data/{KEPT[0]}"]


def test_download_of_missing_files_only(tmp_path, server):
    (tmp_path / "tiny_GO.train.arff").write_bytes(ARFF["train"])
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url))
    assert [path[-14:] for path in server.asked] == [".valid.arff.gz", "O.test.arff.gz"]


def test_the_mirrors_of_skhmc_have_the_paths_of_their_repository(
    tmp_path, server, monkeypatch
):
    monkeypatch.setattr(_fetch, "MIRRORS", (f"{server.url}/gone", f"{server.url}/at@1"))
    server.files = {
        f"at@1/datasets_GO/tiny_GO/tiny_GO.{split}.arff": text
        for split, text in ARFF.items()
    }
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path))
    assert files_in(tmp_path) == sorted(KEPT)
    assert len(server.asked) == 6 and server.asked[0].startswith("/data/gone/datasets")


def test_every_file_has_an_address_of_its_own():
    paths = [
        path_there(name, split)
        for name in SHA256.keys() - {"tiny", "tiny_GO"}
        for split in SHA256[name]
    ]
    assert len(set(paths)) == len(paths) == 39
    assert "datasets_FUN/church_FUN/church_FUN.valid.arff" in paths
    assert "others/Enron_corr_trainvalid.arff" in paths
    assert all(base.startswith("https://") and base[-1] != "/" for base in MIRRORS)


TRAIN = gzip.compress(ARFF["train"], mtime=0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            gzip.compress(b"<html>moved</html>", mtime=0),
            "expected [0-9a-f]{64} but got",
        ),
        (b"<html>moved</html>", "expected [0-9a-f]{64} but got [0-9a-f]{64}"),
        ((TRAIN[:40], len(TRAIN)), "40 bytes read"),
        (TRAIN[:40], "damaged or truncated gzip"),
        (
            gzip.compress(bytes(MAX_PUBLISHED + 1), mtime=0),
            "it has more than 16777216 bytes",
        ),
        (bytes(MAX_PUBLISHED + 1), "it has more than 16777216 bytes"),
        (503, "503 Server Error"),
        (404, r"404.*, nor http://127.*train.arff \(404"),
    ],
    ids=["other gzip", "html", "connection cut", "file cut", "packed", "long"]
    + ["busy", "absent"],
)
def test_bad_answers(tmp_path, server, answer, reason):
    server.files[NAMES[0]] = answer
    message = rf"(?s)download {KEPT[0]} from {server.url}/{NAMES[0]} \(.*{reason}.*Get"
    with pytest.raises(OSError, match=message) as caught:
        fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url)
    guide = f"and put them into {tmp_path / 'clus'} as {KEPT[0]}, "
    assert guide in str(caught.value) and f"by hand from {MIRRORS[0]}" in str(
        caught.value
    )
    assert files_in(tmp_path) == []


def test_a_mirror_stands_in_for_another(tmp_path, server):
    """That has a wrong file, a broken one, and none."""
    good = dict(server.files)
    server.files = {
        f"bad/{NAMES[0]}": gzip.compress(ARFF["test"]),
        f"bad/{NAMES[1]}": (TRAIN[:40], len(TRAIN)),
    } | {f"good/{name}": content for name, content in good.items()}
    mirrors = [f"{server.url}/bad", f"{server.url}/good"]
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path, base_url=mirrors))
    assert files_in(tmp_path) == sorted(KEPT)


@pytest.mark.parametrize("broken", [(TRAIN[:40], len(TRAIN)), 503, TRAIN[:40]])
def test_broken_connection_is_tried_twice_more(tmp_path, server, broken):
    server.files[NAMES[0]] = [broken, broken, TRAIN]
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url))
    assert server.asked[:3] == [f"/data/{NAMES[0]}"] * 3
    server.files[NAMES[0]], server.asked[:] = [*[broken] * 3, TRAIN], []
    with pytest.raises(OSError, match="Could not download"):
        fetch_clus("tiny_GO", data_home=tmp_path / "new", base_url=server.url)
    assert server.asked == [f"/data/{NAMES[0]}"] * 3


def test_no_network(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(OSError, match=f"from {url}/tiny_GO.*refused.*by hand"):
            fetch_clus("tiny_GO", data_home=tmp_path, base_url=url)
    assert files_in(tmp_path) == []


def test_server_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(_download, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OSError, match="tiny_GO.train.*timed out.*by hand"):
            fetch_clus("tiny_GO", data_home=tmp_path, base_url=url)


@pytest.mark.parametrize("address", ["nonsense", "file:///tmp"])
def test_address_that_is_none(tmp_path, address):
    message = (
        rf"{address}/tiny_GO.* \(expected an address .*http://.*data_home=.*by hand"
    )
    with pytest.raises(OSError, match=message):
        fetch_clus("tiny_GO", data_home=tmp_path, base_url=address)


def test_folder_that_cannot_be_made(tmp_path, server):
    (tmp_path / "clus").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="clus.*by hand"):
        fetch_clus("tiny_GO", data_home=tmp_path, base_url=server.url)


def test_without_pooch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    message = (
        r'fetch_clus needs the package pooch.*"skhmc\[fetch\]".*Get the files by h'
    )
    with pytest.raises(ImportError, match=message):
        fetch_clus("tiny_GO", data_home=tmp_path)
    for name, text in plain_files().items():
        (tmp_path / name).write_bytes(text)
    check_tiny(fetch_clus("tiny_GO", data_home=tmp_path))


def test_downloads_at_once(tmp_path, server):
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
    assert files_in(tmp_path) == sorted(KEPT)


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
    (home / "clus" / NAMES[0]).write_text("a packed copy, as it may be put there")
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
