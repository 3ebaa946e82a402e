"""How much memory is free."""

import pytest

from skhmc._utils import memory


@pytest.mark.parametrize("version", range(2))
def test_a_container_has_what_its_limit_leaves(version, tmp_path, monkeypatch):
    limit, use, stat, cached = memory.CGROUP[version]
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    (tmp_path / limit).write_text("9000\n")
    (tmp_path / use).write_text("7000\n")
    (tmp_path / stat).write_text(f"anon 5000\n{cached} 1500\n")
    assert memory.free_memory() == 3500
    (tmp_path / limit).write_text("max\n")
    assert memory.free_memory() != 3500


def test_bytes_are_said_for_people():
    assert memory.bytes_as_text(12_500_000_000) == "12.5 GB"
    assert memory.bytes_as_text(999) == "999 bytes"
