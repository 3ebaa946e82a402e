"""A run: what it depends on, where its files are, and what is done of it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from skhmc._scale.answers import Asked, Judge
from skhmc._scale.inputs import Part, SampleFile, read_blocks
from skhmc._scale.rows import Layout, read_rows
from skhmc._scale.writing import FORMATS, Rejects, read_counts
from skhmc._utils.files import replacing
from skhmc._utils.version import package_version

__all__ = ["Run", "digest_of"]

FORMAT = 1  # of the manifest
MANIFEST = "manifest.json"
LABELS = "labels.json"
LOCK = "lock"
ANSWERS = "predictions"
REJECTS = "rejects"
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch")
MAX_DIFFERENCES = 5


def _versions():
    found = {"skhmc": package_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found | {"Python": ".".join(platform.python_version_tuple()[:2])}


@dataclass(frozen=True)
class Run:
    """All that a worker has to know but the estimator."""

    folder: Path
    files: list[SampleFile]
    parts: list[Part]
    layout: Layout
    options: dict[str, Any]
    digest: str

    # -- where files are ---------------------------------------------------------------

    def answers_path(self, number: int) -> Path:
        """Return where the answers of a part are."""
        ending = FORMATS[self.options["format"]].ending
        return self.folder / ANSWERS / f"part-{number:06d}{ending}"

    def rejects_path(self, number: int) -> Path:
        """Return where the rows of a part are that have no answer, if there are any."""
        return self.folder / REJECTS / f"part-{number:06d}.jsonl"

    # -- the parts ---------------------------------------------------------------------

    def counts(self, number: int) -> dict | None:
        """Return the counts of a part that is done, None of one that is not."""
        path = self.answers_path(number)
        if not path.exists():
            return None
        kind = self.options["format"]
        said = read_counts(kind, path, self.rejects_path(number), self.digest, number)
        n_rows = self.parts[number].n_rows
        if said is None or said["predicted"] + said["rejected"] != n_rows:
            return None
        return said

    def predict(self, asked: Asked, number: int, tell: Any = None) -> dict:
        """Predict a part, write its files, and return its counts.

        Parameters
        ----------
        asked : Asked
        number : int
        tell : callable, default=None
            Is told the number of rows that are done, block by block.
        """
        part = self.parts[number]
        file = self.files[part.file]
        judge = Judge(asked, self.layout.columns)
        kind = FORMATS[self.options["format"]]
        start = done = 0
        with (
            replacing(self.answers_path(number), shared=True) as beside,
            Rejects(self.rejects_path(number)) as rejects,
        ):
            answers = kind(beside, asked.names, self.layout.id_column)
            try:
                for block in self._blocks(file, part):
                    rows, cells, wrong = _judged(judge, block)
                    ids = block.ids
                    answers.add(rows + part.row + start, _chosen(ids, rows), cells)
                    done += len(rows)
                    for row in sorted(wrong):
                        rejects.add(
                            {
                                "row": part.row + start + row,
                                "file": file.path,
                                "row_in_file": part.start + start + row,
                                "id": None if ids is None else ids[row].as_py(),
                                "reason": wrong[row],
                            }
                        )
                    start += block.n_rows
                    if tell is not None:
                        tell(block.n_rows)
                if start != part.n_rows:
                    raise OSError(
                        f"{file.path!r} has {start} rows where there were "
                        f"{part.n_rows} before. Somebody writes it."
                    )
                counts = {"run": self.digest, "part": number}
                counts |= {"predicted": done, "rejected": rejects.n_rows}
                answers.close(counts)
            except BaseException:
                answers.abandon()
                raise
        return counts

    def _blocks(self, file, part):
        """Yield Blocks of a part."""
        layout = self.layout
        names = list(layout.columns)
        if layout.id_column is not None and layout.id_column not in names:
            names.append(layout.id_column)
        size = self.options["rows_per_block"]
        for block in read_blocks(file, part, size, names):
            yield read_rows(layout, block)

    def try_some(self, asked: Asked, numbers: list[int]) -> None:
        """Raise where not one row is taken of those that some parts begin with.

        Then it is not the rows that are wrong.
        """
        first = None
        n_rows = 0
        for number in numbers:
            part = self.parts[number]
            for block in self._blocks(self.files[part.file], part):
                rows, _, wrong = _judged(Judge(asked, self.layout.columns), block)
                if len(rows):
                    return
                n_rows += block.n_rows
                first = first or next(iter(wrong.values()))
                break
        if n_rows:
            raise ValueError(
                f"{type(asked.estimator).__name__} takes none of the first {n_rows} "
                f"rows: {first}. Look at columns= and id_column=, and at what it was "
                f"fitted with."
            )

    # -- what is kept ------------------------------------------------------------------

    def described(self, estimator_digest: str) -> dict:
        """Return what has to be the same when the run goes on."""
        return {
            "format": FORMAT,
            "estimator": estimator_digest,
            "versions": _versions(),
            "options": self.options,
            "files": [file.described() for file in self.files],
        }

    def begin(self, described: dict, names: list) -> None:
        """Make the folders and the manifest, or compare with those that are there.

        Raises
        ------
        FileExistsError
            Where the folder holds something else.
        ValueError
            Where it holds another run.
        """
        path = self.folder / MANIFEST
        if path.exists():
            _compare(self.folder, json.loads(path.read_text()), described)
        else:
            others = {p.name for p in self.folder.iterdir()} - {LOCK}
            others -= {f"{MANIFEST}.part", f"{LABELS}.part", LABELS}
            if others:
                raise FileExistsError(
                    f"{str(self.folder)!r} holds other files, such as "
                    f"{min(others)!r}. Give the path of a new folder, or of one that "
                    f"predict_files has made."
                )
            with replacing(self.folder / LABELS) as beside:
                beside.write_text(json.dumps(names, default=str))
            self._write_manifest(described)
        for name in (ANSWERS, REJECTS):
            (self.folder / name).mkdir(exist_ok=True)
            for left in (self.folder / name).glob(
                "*.part"
            ):  # of those that were killed
                left.unlink(missing_ok=True)

    def end(self, described: dict, counts: list[dict]) -> dict:
        """Write down what was done, and return it."""
        totals = {
            "rows": sum(file.n_rows for file in self.files),
            "predicted": sum(c["predicted"] for c in counts),
            "rejected": sum(c["rejected"] for c in counts),
        }
        if totals["predicted"] + totals["rejected"] != totals["rows"]:
            raise RuntimeError(
                f"Counted {totals}, which does not add up. Please report this."
            )
        kept = [[c["predicted"], c["rejected"]] for c in counts]
        self._write_manifest(described | {"done": totals | {"parts": kept}})
        return totals

    def _write_manifest(self, content):
        with replacing(self.folder / MANIFEST) as beside:
            beside.write_text(json.dumps(content, indent=1) + os.linesep)


def _judged(judge, block):
    """Return the rows of a block with answers, these, and reasons of the others."""
    cells, reasons = judge(block.X, block.missing)
    wrong = block.wrong | {int(block.rows[k]): text for k, text in reasons.items()}
    taken = [k for k in range(len(block.rows)) if k not in reasons]
    return block.rows[taken], cells, wrong


def _chosen(ids, rows):
    return None if ids is None else ids.take(rows).combine_chunks()


def _compare(folder, there, now):
    """Raise where a run is another one than that of a folder."""
    texts = []
    for name in ("format", "estimator"):
        if there.get(name) != now[name]:
            texts.append(f"another {name}" if name == "estimator" else "another format")
    for name in ("versions", "options"):
        old, new = there.get(name, {}), json.loads(json.dumps(now[name]))
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                texts.append(f"{key}={new.get(key)!r}, which was {old.get(key)!r}")
    texts += _other_files(there.get("files", []), now["files"])
    if not texts:
        return
    more = len(texts) - MAX_DIFFERENCES
    shown = "; ".join(texts[:MAX_DIFFERENCES]) + (f"; and {more} more" * (more > 0))
    raise ValueError(
        f"{str(folder)!r} holds the answers of another run: now there is {shown}. Give "
        f"what it began with, or the path of a new folder."
    )


def _other_files(old, new):
    new = json.loads(json.dumps(new))
    before = {file["path"]: file for file in old}
    after = {file["path"]: file for file in new}
    texts = [f"a file more, {path!r}" for path in after if path not in before]
    texts += [f"no file {path!r}" for path in before if path not in after]
    texts += [
        f"{path!r}, which has changed"
        for path in after
        if path in before and after[path] != before[path]
    ]
    if not texts and list(before) != list(after):
        texts.append("another order of the files")
    return texts


def digest_of(described: dict) -> str:
    """Return the digest by which the files of a run know it."""
    text = json.dumps(described, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
