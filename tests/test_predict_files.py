"""Predictions of rows in files: all of them, once, whatever happens."""

import json
import os
import pickle
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from filelock import FileLock
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import skhmc
from skhmc import CoherentClassifier, Hierarchy, KernelHMC, predict_files
from skhmc._scale import predict_files as module
from skhmc._scale.digest import estimator_digest
from skhmc.coherence import close_upward
from tests.instances import FAST

DAG = {"cat": ["mammal", "pet"], "cow": ["mammal"], "parrot": ["bird", "pet"]}
H = Hierarchy.from_parents(DAG)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = close_upward((X @ RNG.normal(size=(4, 6)) > 0.5).astype(int), H)
CLF = KernelHMC(H, ridge=0.1).fit(X, Y)
NAMES = ["x0", "x1", "x2", "x3"]
QUIET = {"verbose": False, "client": False}


def write(path, X, group=10, ids=False, **columns):
    """Write rows as Parquet, perhaps with ids that count from 100."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = dict(zip(NAMES, X.T, strict=True)) if isinstance(X, np.ndarray) else X
    numbers = np.arange(100, 100 + len(next(iter(table.values()))))
    table = pa.table(({"id": numbers} if ids else {}) | table | columns)
    pq.write_table(table, path, row_group_size=group)
    return path


def answers(found):
    return pd.concat([pd.read_parquet(path) for path in found.answers])


def rejects(found):
    lines = [path.read_text().splitlines() for path in found.rejects]
    return [json.loads(line) for line in sum(lines, [])]


def as_dicts(frame):
    pairs = zip(frame["labels"], frame["probabilities"], strict=True)
    return [dict(zip(names, proba, strict=True)) for names, proba in pairs]


# -- right answers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "question", [{}, {"k": 2}, {"min_proba": 0.3}, {"k": 3, "min_proba": 0.3}]
)
def test_answers_are_those_of_predict_table(question, tmp_path):
    source = write(tmp_path / "rows.parquet", X, ids=True)
    out = tmp_path / "out"
    limits = {"rows_per_part": 20, "rows_per_block": 7} | QUIET
    found = predict_files(CLF, source, out, id_column="id", **question, **limits)
    frame = answers(found)
    assert list(frame["id"]) == list(range(100, 160))
    assert list(frame["row"]) == list(range(60)) and len(found.answers) == 3
    names = {"k": question.get("k"), "min_proba": question.get("min_proba")}
    expected = CLF.predict_table(X, **names).groupby("sample")
    for row, got in enumerate(as_dicts(frame)):
        if row not in expected.groups:
            assert got == {}
            continue
        wanted = expected.get_group(row)
        assert list(got) == list(wanted["label"])
        np.testing.assert_allclose(list(got.values()), wanted["probability"], rtol=1e-6)
    assert (found.n_rows, found.n_predicted, found.n_rejected) == (60, 60, 0)
    assert found.rejects == [] and found.label_names == list(H.labels)


def test_csr_and_leaves(tmp_path):
    np.save(tmp_path / "X.npy", X)
    options = {"k": 2, "among": "leaves", "format": "csr", "rows_per_part": 25} | QUIET
    found = predict_files(CLF, tmp_path / "X.npy", tmp_path / "out", **options)
    whole = sp.vstack([sp.load_npz(path) for path in found.answers])
    columns, proba = CLF.predict_top_k(X, 2, among="leaves")
    expected = np.zeros((60, 6))
    np.put_along_axis(expected, columns, proba, axis=1)
    np.testing.assert_allclose(whole.toarray(), expected, rtol=1e-6)
    rows = np.concatenate([np.load(path)["row"] for path in found.answers])
    assert list(rows) == list(range(60))
    assert json.loads((tmp_path / "out/labels.json").read_text()) == list(H.labels)


def test_sparse_rows(tmp_path):
    sparse = sp.random(50, 30, 0.2, "csr", random_state=0)
    clf = skhmc.LabelTreeClassifier(H, C=1.0, slope=1.0, random_state=0)
    clf.fit(sparse, Y[:50])
    for name, part in (("a", sparse[:20]), ("b", sparse[20:])):
        sp.save_npz(tmp_path / f"{name}.npz", part)
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    found = predict_files(clf, paths, tmp_path / "out", k=2, rows_per_block=9, **QUIET)
    expected = clf.predict_top_k(sparse, 2, names=True)[0]
    assert [list(names) for names in answers(found)["labels"]] == expected


def test_folders_are_columns_and_text_reaches_a_pipeline(tmp_path):
    """The whole frame goes to the estimator, with a column of the path, too."""
    frame = pd.DataFrame(X, columns=NAMES).assign(
        farm=np.where(X[:, 0] > 0, "red", "blue"), year=np.repeat([2023, 2024], 30)
    )
    columns = make_column_transformer(
        (OneHotEncoder(), ["farm", "year"]), (SimpleImputer(), NAMES)
    )
    pipeline = make_pipeline(columns, KernelHMC(H, ridge=0.1)).fit(frame, Y)
    for year, rows in frame.groupby("year"):
        inside = rows.drop(columns="year")
        data = {name: inside[name].to_numpy() for name in inside}
        write(tmp_path / f"in/year={year}/part.parquet", data)
    found = predict_files(pipeline, tmp_path / "in", tmp_path / "out", k=2, **QUIET)
    expected = pipeline[-1].predict_top_k(columns.transform(frame), 2, names=True)
    got = answers(found)
    assert [list(names) for names in got["labels"]] == expected[0]


def test_texts_and_vectors(tmp_path):
    texts = ["soft cat", "big cow", "loud parrot"] * 20
    pipeline = make_pipeline(TfidfVectorizer(), KernelHMC(H, ridge=0.1)).fit(texts, Y)
    path = write(tmp_path / "t.parquet", {"text": [*texts[:-1], None]})
    found = predict_files(
        pipeline, path, tmp_path / "out", columns="text", k=1, **QUIET
    )
    best = pipeline[-1].predict_top_k(pipeline[0].transform(texts[:-1]), 1, names=True)
    assert [list(names) for names in answers(found)["labels"]] == best[0]
    (line,) = rejects(found)
    assert line["row"] == 59 and "'text' holds no text" in line["reason"]

    lists = [*map(list, X[:57]), [1.0], None, [1.0, 2.0, 3.0, np.inf]]
    path = write(tmp_path / "v.parquet", {"vector": lists})
    found = predict_files(CLF, path, tmp_path / "o", columns="vector", k=1, **QUIET)
    assert [line["row"] for line in rejects(found)] == [57, 58, 59]
    assert "holds 1 numbers, expected 4" in rejects(found)[0]["reason"]
    assert "infinity" in rejects(found)[2]["reason"]
    expected = CLF.predict_top_k(X[:57], 1, names=True)[0]
    assert [list(names) for names in answers(found)["labels"]] == expected


@pytest.mark.parametrize("question", [{}, {"k": 2}, {"min_proba": 0.2}])
def test_estimators_of_others(question, tmp_path):
    np.save(tmp_path / "X.npy", X)
    forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, Y)
    found = predict_files(
        forest, tmp_path / "X.npy", tmp_path / "out", **question, **QUIET
    )
    proba = np.stack([p[:, 1] for p in forest.predict_proba(X)], axis=1)
    chosen = proba >= question.get("min_proba", 0)
    if not question:
        chosen = forest.predict(X) == 1
    for row, got in enumerate(as_dicts(answers(found))):
        expected = {k: proba[row, k] for k in np.flatnonzero(chosen[row])}
        order = sorted(expected, key=lambda k: (-expected[k], k))[: question.get("k")]
        assert list(got) == order
        np.testing.assert_allclose(list(got.values()), [expected[k] for k in order])
    classes = LogisticRegression().fit(X, np.array(["a", "b", "c"])[np.arange(60) % 3])
    found = predict_files(classes, tmp_path / "X.npy", tmp_path / "o", **QUIET)
    assert [names[0] for names in answers(found)["labels"]] == list(classes.predict(X))


# -- rows that are none ----------------------------------------------------------------


def test_bad_rows_are_told_apart_and_all_others_answered(tmp_path):
    bad = X.astype(object)
    bad[3, 1], bad[17, 0], bad[40, 2], bad[41, 2] = np.nan, np.nan, np.inf, None
    table = {name: pa.array(bad[:, k], pa.float64()) for k, name in enumerate(NAMES)}
    write(tmp_path / "in/a.parquet", table, ids=True)
    texts = [str(x) for x in X[:20, 1]]
    texts[5] = "n/a"
    columns = dict(zip(NAMES, X[:20].T, strict=True)) | {"x1": texts}
    write(tmp_path / "in/b.parquet", columns, ids=True)
    found = predict_files(
        CLF, tmp_path / "in", tmp_path / "out", id_column="id", k=1, **QUIET
    )
    said = {line["row"]: line for line in rejects(found)}
    assert sorted(said) == [3, 17, 40, 41, 65]
    assert "missing value in 'x1'" in said[3]["reason"]
    assert "infinity" in said[40]["reason"]
    assert said[65]["reason"] == "column 'x1' holds 'n/a', expected a number"
    assert said[65]["row_in_file"] == 5 and said[65]["file"].endswith("b.parquet")
    assert said[65]["id"] == 105
    frame = answers(found)
    good = [row for row in range(80) if row not in said]
    assert list(frame["row"]) == good
    expected = CLF.predict_top_k(np.concatenate([X, X[:20]])[good], 1, names=True)[0]
    assert [list(names) for names in frame["labels"]] == expected
    assert (found.n_predicted, found.n_rejected) == (75, 5)


def test_missing_values_are_no_reason_where_the_estimator_takes_them(tmp_path):
    lacking = X.copy()
    lacking[::7, 0] = np.nan  # is imputed
    lacking[::9, 3] = np.nan  # is not
    columns = make_column_transformer(
        (SimpleImputer(), ["x0", "x1"]), ("passthrough", ["x2", "x3"])
    )
    frame = pd.DataFrame(X, columns=NAMES)
    pipeline = make_pipeline(columns, KernelHMC(H, ridge=0.1)).fit(frame, Y)
    path = write(tmp_path / "rows.parquet", lacking)
    found = predict_files(
        pipeline, path, tmp_path / "out", k=1, rows_per_block=8, **QUIET
    )
    assert [line["row"] for line in rejects(found)] == list(range(0, 60, 9))
    assert len(answers(found)) == 60 - 7


def test_a_bad_neighbour_does_not_make_a_row_with_gaps_bad(tmp_path):
    """Row 0 lacks a value and has an unknown farm; row 7 lacks the same and is good."""
    frame = pd.DataFrame(X, columns=NAMES).assign(farm="red")
    columns = make_column_transformer(
        (OneHotEncoder(), ["farm"]), (SimpleImputer(), NAMES)
    )
    pipeline = make_pipeline(columns, KernelHMC(H, ridge=0.1)).fit(frame, Y)
    lacking = X.copy()
    lacking[[0, 7], 0] = np.nan
    path = write(tmp_path / "rows.parquet", lacking, farm=["blue", *["red"] * 59])
    found = predict_files(pipeline, path, tmp_path / "out", k=1, **QUIET)
    (line,) = rejects(found)
    assert line["row"] == 0 and "unknown categories" in line["reason"]


def test_an_estimator_that_takes_no_row_is_an_error(tmp_path):
    path = write(tmp_path / "rows.parquet", np.full((20, 4), np.nan))
    with pytest.raises(ValueError, match=r"KernelHMC takes none of the first 20 rows"):
        predict_files(CLF, path, tmp_path / "out", k=1, **QUIET)


# -- a run that is stopped -------------------------------------------------------------


class Stops(KernelHMC):
    """Is interrupted after some calls."""

    left = None

    def predict_top_k(self, *args, **options):
        if Stops.left == 0:
            raise KeyboardInterrupt
        Stops.left -= 1
        return super().predict_top_k(*args, **options)


@pytest.mark.parametrize("format", ["parquet", "csr"])
def test_it_goes_on_with_the_parts_that_are_missing(format, tmp_path):
    clf = Stops(H, ridge=0.1).fit(X, Y)
    rows = X.copy()
    rows[::11, 0] = np.nan
    path = write(tmp_path / "rows.parquet", rows, ids=True)
    options = {"k": 2, "format": format, "rows_per_part": 10, "rows_per_block": 6}
    options |= {"id_column": "id"} | QUIET
    Stops.left = 10**6
    whole = predict_files(clf, path, tmp_path / "whole", **options)
    out = tmp_path / "out"
    n_stops = 0
    while True:
        Stops.left = 7  # of which one is for the trial
        try:
            found = predict_files(clf, path, out, **options)
            break
        except KeyboardInterrupt:
            n_stops += 1
            assert not list((out / "predictions").glob("*.part"))
    assert n_stops >= 3
    for ours, theirs in zip(found.answers, whole.answers, strict=True):
        if format == "parquet":
            assert pd.read_parquet(ours).equals(pd.read_parquet(theirs))
        else:
            assert (sp.load_npz(ours) != sp.load_npz(theirs)).nnz == 0
    assert rejects(found) == rejects(whole) and found.n_rejected == 6
    Stops.left = 0  # nothing is asked any more
    assert predict_files(clf, path, out, **options).n_predicted == 54


def test_what_is_damaged_or_left_over_is_made_again(tmp_path):
    path = write(tmp_path / "rows.parquet", X)
    options = {"k": 2, "rows_per_part": 10} | QUIET
    first = predict_files(CLF, path, tmp_path / "out", **options)
    expected = answers(first)
    first.answers[1].write_bytes(first.answers[1].read_bytes()[:200])
    first.answers[2].unlink()
    left = first.answers[3].with_name("part-000003.parquet.abc.part")
    left.write_bytes(b"of one that was killed")
    again = predict_files(CLF, path, tmp_path / "out", **options)
    assert answers(again).equals(expected) and not left.exists()


def test_another_run_is_refused(tmp_path):
    path = write(tmp_path / "rows.parquet", X)
    out = tmp_path / "out"
    predict_files(CLF, path, out, k=2, **QUIET)
    with pytest.raises(ValueError, match="k=3, which was 2"):
        predict_files(CLF, path, out, k=3, **QUIET)
    other = KernelHMC(H, ridge=0.1).fit(X[:50], Y[:50])
    with pytest.raises(ValueError, match="another estimator"):
        predict_files(other, path, out, k=2, **QUIET)
    write(tmp_path / "more.parquet", X)
    with pytest.raises(ValueError, match=r"a file more, '.*more.parquet'"):
        predict_files(CLF, [path, tmp_path / "more.parquet"], out, k=2, **QUIET)
    stat = os.stat(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    with pytest.raises(ValueError, match="which has changed"):
        predict_files(CLF, path, out, k=2, **QUIET)


def test_other_folders_and_calls_are_left_alone(tmp_path):
    path = write(tmp_path / "rows.parquet", X)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("all of it")
    with pytest.raises(
        FileExistsError, match="holds other files, such as 'thesis.txt'"
    ):
        predict_files(CLF, path, tmp_path / "out", k=1, **QUIET)
    (tmp_path / "free").mkdir()
    with FileLock(tmp_path / "free/lock"):
        with pytest.raises(RuntimeError, match="Another call of predict_files"):
            predict_files(CLF, path, tmp_path / "free", k=1, **QUIET)


def test_a_part_that_fails_leaves_the_others_done(tmp_path, monkeypatch):
    path = write(tmp_path / "rows.parquet", X)
    options = {"k": 1, "rows_per_part": 20} | QUIET
    predict = module.Run.predict

    def full(self, asked, number, tell=None):
        if number == 1:
            raise OSError("No space left on device")
        return predict(self, asked, number, tell)

    monkeypatch.setattr(module.Run, "predict", full)
    with pytest.raises(RuntimeError, match=r"1 of 3 parts failed.*rows 20 to 39 of"):
        predict_files(CLF, path, tmp_path / "out", **options)
    monkeypatch.undo()
    asked = []

    def counted(self, asked_, number, tell=None):
        asked.append(number)
        return predict(self, asked_, number, tell)

    monkeypatch.setattr(module.Run, "predict", counted)
    assert predict_files(CLF, path, tmp_path / "out", **options).n_predicted == 60
    assert asked == [1]


@pytest.mark.parametrize(
    "clf", [pytest.param(clf, marks=pytest.mark.slow, id=name) for name, clf in FAST]
)
def test_the_same_estimator_has_the_same_digest(clf):
    """After predictions, as a pickle, and as a file; another fit has another."""
    clf = clf.__class__(**clf.get_params()).set_params(hierarchy=H, max_iter=1)
    clf.fit(X, Y)
    digest = estimator_digest(clf)
    clf.predict_proba(X)
    assert estimator_digest(clf) == digest
    assert estimator_digest(pickle.loads(pickle.dumps(clf))) == digest
    assert estimator_digest(clf.fit(X[:50], Y[:50])) != digest


def test_digests_do_not_depend_on_how_arrays_lie():
    clf = KernelHMC(H, ridge=0.1).fit(X, Y)
    digest = estimator_digest(clf)
    clf.predict_proba(X)
    assert estimator_digest(pickle.loads(pickle.dumps(clf))) == digest
    clf.extra = np.asfortranarray(X)
    turned = estimator_digest(clf)
    clf.extra = X
    assert estimator_digest(clf) == turned != digest


# -- what is wrong is said -------------------------------------------------------------


@pytest.mark.parametrize(
    "options, said",
    [
        ({"k": 0}, "k=0, expected an integer of at least 1"),
        ({"k": 7}, "there are 6 labels"),
        ({"min_proba": 2}, "min_proba=2, expected a number from 0 to 1"),
        ({"format": "csv"}, "format='csv', expected one of 'parquet', 'csr'"),
        ({"among": "roots"}, "among='roots', expected one of 'all', 'leaves'"),
        ({"rows_per_part": 0}, "rows_per_part=0"),
        ({"columns": ["x0", "x9"]}, "lacks the columns 'x9'; it has 'id', 'x0'"),
        ({"columns": ["x0"]}, "fitted with 4 features, but 1 columns"),
        ({"id_column": None}, "fitted with 4 features, but 5 columns"),
    ],
)
def test_wrong_options(options, said, tmp_path):
    path = write(tmp_path / "rows.parquet", X, ids=True)
    with pytest.raises(ValueError, match=said):
        predict_files(
            CLF, path, tmp_path / "out", **{"id_column": "id"} | options | QUIET
        )


def test_wrong_files(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        predict_files(CLF, tmp_path / "none", out, **QUIET)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no Parquet file in"):
        predict_files(CLF, tmp_path / "empty", out, **QUIET)
    np.save(tmp_path / "wide.npy", np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"wide.npy' has 5 columns, expected 4"):
        predict_files(CLF, tmp_path / "wide.npy", out, **QUIET)
    with pytest.raises(ValueError, match="holds no named columns"):
        predict_files(CLF, tmp_path / "wide.npy", out, id_column="id", **QUIET)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"bad.parquet' cannot be read"):
        predict_files(CLF, tmp_path / "bad.parquet", out, **QUIET)
    good = write(tmp_path / "good.parquet", X)
    with pytest.raises(ValueError, match="several kinds, 'npy', 'parquet'"):
        predict_files(CLF, [tmp_path / "wide.npy", good], out, **QUIET)
    (tmp_path / "rows.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"rows.csv', expected a file that ends in"):
        predict_files(CLF, tmp_path / "rows.csv", out, **QUIET)


def test_wrong_estimators(tmp_path):
    np.save(tmp_path / "X.npy", X)
    path, out = tmp_path / "X.npy", tmp_path / "out"
    with pytest.raises(ValueError, match="Fit it first"):
        predict_files(LogisticRegression(), path, out, **QUIET)
    forest = RandomForestClassifier(2, max_depth=1).fit(X, Y)
    with pytest.raises(ValueError, match="RandomForestClassifier has no hierarchy"):
        predict_files(forest, path, out, k=1, among="leaves", **QUIET)
    nameless = make_pipeline(FunctionTransformer(lambda X: X), CLF)
    with pytest.raises(TypeError, match="functions without a name"):
        predict_files(nameless, path, out, k=1, **QUIET)


def test_progress_is_one_line(tmp_path, capsys):
    path = write(tmp_path / "rows.parquet", X)
    predict_files(CLF, path, tmp_path / "out", k=1, client=False)
    shown = capsys.readouterr().err
    assert "predict_files: 100%" in shown and "60.0/60.0" in shown and "rows/s" in shown
    assert "\n" not in shown.strip()


def test_threshold_classes_and_one_dimension(tmp_path):
    """After a 1-D y labels are all labels, classes and those above them."""
    np.save(tmp_path / "X.npy", X)
    y = np.array(["cat", "cow", "parrot"])[np.arange(60) % 3]
    tree = CoherentClassifier(LogisticRegression(), H).fit(X, y)
    found = predict_files(tree, tmp_path / "X.npy", tmp_path / "out", **QUIET)
    expected = tree.predict_labels(X)
    assert [set(n) for n in answers(found)["labels"]] == [set(n) for n in expected]


@pytest.mark.parametrize("cells, n_rows", [(1, 64), (6 * 100, 100), (10**9, 8192)])
def test_a_block_has_64_to_8192_rows(cells, n_rows, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[predict_files.__module__], "CELLS", cells)
    source = write(tmp_path / "rows.parquet", X)
    predict_files(CLF, source, tmp_path / "out", k=1, **QUIET)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["options"]["rows_per_block"] == n_rows
