"""Rows of files: what is one, and that reading gives what an array would."""

import mmap

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skhmc._data.X import FileRows, has_rows_in_file, is_in_file, row_blocks
from skhmc._networks.batches import Batches, SliceDataset

DTYPES = ["float16", "float32", "float64", "uint8", "int64", "bool", ">f4", "<U3"]


def on_disk(folder, array, mode="r"):
    """Return what an array is after it was written to a file and mapped from there."""
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, array)
    return np.load(path, mmap_mode=mode)


# -- which arrays ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_what_lies_in_a_file(tmp_path, mode):
    X = on_disk(tmp_path, np.ones((6, 4, 3)), mode)
    views = (X, np.asarray(X), X[2:], X[2:][1:], X[:, 1:], X[::2], X[0], X.T)
    assert all(is_in_file(a) for a in views)
    copies = (X[[1, 2]], X[np.ones(6, bool)], X + 1, np.array(X), np.ones(3), X[:0])
    assert not any(is_in_file(a) for a in (*copies, None, [[1.0]], "X"))


def test_rows_must_be_one_piece_each(tmp_path):
    X = on_disk(tmp_path, np.ones((6, 4, 3)))
    assert all(has_rows_in_file(a) for a in (X, X[2:], X[:, 1:], X[::2], X[..., 0:3]))
    others = [X[:, ::2], X[..., 1:], X[::-1], X[0, 0], X.T, X[[1]], X[:0]]
    others.append(on_disk(tmp_path, np.ones((6, 4), complex)))
    assert not any(has_rows_in_file(a) for a in others)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (20, 1), (3, 50), (4, 2, 3)])
def test_blocks_cover_all_rows(monkeypatch, shape):
    monkeypatch.setattr("skhmc._data.X.ENTRIES_PER_BLOCK", 10)
    array = np.arange(np.prod(shape)).reshape(shape)
    blocks = [array[rows] for rows in row_blocks(array)]
    np.testing.assert_array_equal(np.concatenate(blocks), array)
    assert all(len(b) == 1 or b.size <= 10 for b in blocks)
    assert len(blocks) == -(-shape[0] // max(1, 10 // array[0].size))


# -- reading ---------------------------------------------------------------------------


def choices(n):
    """Draw slices and lists of rows."""
    bound = st.integers(0, n)
    return st.one_of(
        st.builds(slice, bound, bound, st.integers(1, 3)),
        st.lists(st.integers(0, n - 1), max_size=6).map(np.array),
    ).map(lambda rows: rows if isinstance(rows, slice) else rows.astype(np.intp))


@given(data=st.data(), dtype=st.sampled_from(DTYPES), out=st.sampled_from("fd"))
def test_reading_is_choosing_and_converting(tmp_path_factory, data, dtype, out):
    array = (np.random.default_rng(0).random((9, 4)) * 100).astype(dtype)
    array = on_disk(tmp_path_factory.mktemp("rows"), array)
    rows, expected = FileRows(array, out), np.array(array).astype(out)
    for _ in range(data.draw(st.integers(0, 2))):
        chosen = data.draw(choices(len(expected)), label="rows")
        rows, expected = rows[chosen], expected[chosen]
        assert rows.shape == expected.shape
        if not len(expected):
            return
    chosen = data.draw(choices(len(expected)), label="read")
    rows.will_need(chosen)
    found = rows.read(chosen)
    np.testing.assert_array_equal(found, expected[chosen], strict=True)
    assert found.dtype == np.dtype(out) and found.flags.c_contiguous
    assert type(found) is np.ndarray and found.flags.writeable and not is_in_file(found)


def test_writing_into_what_was_read_changes_no_file(tmp_path):
    X = on_disk(tmp_path, np.ones((6, 4), np.float32), "r+")
    for rows in (slice(0, 6), np.arange(6)):
        FileRows(X, np.float32).read(rows)[:] = 2
    assert (X == 1).all()


# -- asking for rows ahead -------------------------------------------------------------


class Recording(mmap.mmap):
    """A map that notes the bytes it is asked for."""

    def madvise(self, option, start, length):
        super().madvise(option, start, length)
        self.asked = [*vars(self).get("asked", ()), (option, start, length)]


def recorded(folder, n_rows, width):
    """Return float32 rows behind a header of 12 bytes, and their map."""
    path = folder / "rows"
    path.write_bytes(bytes(12 + 4 * n_rows * width))
    with path.open("r+b") as file:
        buffer = Recording(file.fileno(), 0)
    return np.ndarray((n_rows, width), np.float32, buffer, offset=12), buffer


@pytest.mark.parametrize("width", [10, 3000])
def test_whole_pages_of_the_rows_are_asked_for(tmp_path, width):
    X, buffer = recorded(tmp_path, 50, width)
    numbers = np.array([3, 41, 17])
    FileRows(X, np.float32)[5:].will_need(numbers)
    assert len(buffer.asked) == 3
    for row, (option, start, length) in zip(numbers + 5, buffer.asked, strict=True):
        first, size = 12 + row * width * 4, width * 4
        assert option == mmap.MADV_WILLNEED and start % mmap.PAGESIZE == 0
        assert start <= first < start + mmap.PAGESIZE
        assert start + length == first + size


def test_batches_ask_for_the_next_rows_before_they_are_read(tmp_path, monkeypatch):
    X, buffer = recorded(tmp_path, 10, 3)
    events = []
    for name in ("will_need", "read"):
        usual = getattr(FileRows, name)

        def noted(self, rows, name=name, usual=usual):
            events.append((name, rows.tolist()))
            return usual(self, rows)

        monkeypatch.setattr(FileRows, name, noted)
    dataset = SliceDataset(FileRows(X, np.float32), dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    assert len(list(Batches(dataset, 4, "cpu", generator))) == 3
    names = [name for name, _ in events]
    assert names == ["will_need", "will_need", "read", "will_need", "read", "read"]
    asked = [r for name, r in events if name == "will_need"]
    assert asked == [r for name, r in events if name == "read"]
    assert sorted(sum(asked, [])) == list(range(10)) and len(buffer.asked) == 10


def test_reading_on_is_left_to_the_system(tmp_path):
    X, buffer = recorded(tmp_path, 10, 3)
    FileRows(X, np.float32).will_need(slice(0, 4))
    assert not hasattr(buffer, "asked")
