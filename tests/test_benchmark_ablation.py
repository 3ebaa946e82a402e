"""Tests of benchmarks.ablation: what is compared with what, and on which rows."""

import json

import numpy as np
import pytest

from benchmarks import ablation
from benchmarks.ablation_parts import differences, tables, variants
from benchmarks.ablation_parts.variants import CHANGES, DEFAULTS, ROWS, SCORED
from benchmarks.accuracy_parts import jobs, results, rows, series, sets
from benchmarks.accuracy_parts.jobs import Job
from skhmc import HCALClassifier, MaxConstraintClassifier
from skhmc.datasets import fetch_clus
from skhmc.paths import is_single_path
from tests.contract import task
from tests.real_data import real_data_home
from tests.test_benchmark_accuracy import lines_of

NO_HEAD, NO_STEP = "no linear head", "no coherence step"
PEER = next(iter(variants.ESTIMATORS))


def made(data_set, variant, seed, au_prc, **more):
    """Return a run as the file has it, of the present parameters of its variant."""
    figures = {"au_prc": au_prc, "hvr_raw": 0.25, "hvr": 0.0, "peak_gb": 0.5}
    figures |= {"seconds": 9.0, "cpu_seconds": 8.0, "job_seconds": 3600.0}
    names = {"data_set": data_set, "row": variant, "seed": seed, "environment": 0}
    name = rows.definition(variant, "table", ROWS)[1]
    return names | {"fingerprint": name} | figures | more


def file_of(*runs):
    """Return a file of runs."""
    known = (rows.definition(variant, "table", ROWS) for variant in ROWS)
    where = {"cpu": "c", "cores": 2, "versions": {"skhmc": "0"}}
    defined = {name: details for details, name in known}
    return {"environments": [where], "definitions": defined, "runs": list(runs)}


RUNS = [
    made("enron", DEFAULTS, 0, 0.700, also={NO_STEP: {"au_prc": 0.690}}),
    made("enron", DEFAULTS, 1, 0.720, also={NO_STEP: {"au_prc": 0.712}}),
    made("enron", NO_HEAD, 0, 0.703, cpu_seconds=4.0),
    made("enron", NO_HEAD, 1, 0.721, cpu_seconds=4.0),
    made("enron", NO_HEAD, 2, 0.900),  # no such seed of the defaults
    made("diatoms", DEFAULTS, 0, 0.5, leaf=0.4),
    made("diatoms", DEFAULTS, 1, 0.5, leaf=0.5),
    made("diatoms", NO_HEAD, 1, 0.4, leaf=0.48),
    made("seq_GO", NO_HEAD, 0, 0.9),  # no defaults there
]


def cells_of(*runs):
    return differences.gather(differences.comparable(file_of(*runs)))


# -- variants --------------------------------------------------------------------------


@pytest.mark.parametrize("variant", list(CHANGES))
def test_every_variant_is_built_of_the_defaults(variant):
    if variant in SCORED:
        HCALClassifier(**CHANGES[variant])._validate_params()
        return
    clf = rows.model_of(variant, "table", seed=3, rows=ROWS)[-1]
    clf._validate_params()
    usual = variants.ESTIMATORS.get(variant, HCALClassifier)()
    expected = usual.get_params() | CHANGES[variant]
    expected |= {"random_state": 3, "device": "cpu"}
    assert clf.get_params() == expected
    details, name = rows.definition(variant, "table", ROWS)
    assert (details, name) == rows.definition(variant, "table", ROWS)
    assert " object at 0x" not in json.dumps(details)


def test_the_defaults_are_scored_under_every_other_coherence():
    assert list(ROWS[DEFAULTS].also) == SCORED != []
    assert all(not ROWS[name].also for name in ROWS if name != DEFAULTS)
    assert set(ROWS) | set(SCORED) == set(CHANGES)
    assert sum(map(len, variants.GROUPS.values())) == len(CHANGES) - 1  # no name twice


def test_a_coherence_that_is_scored_is_as_if_it_were_fitted():
    hierarchy, X, Y = task("paths")
    small = {"hidden_layer_sizes": (20,), "max_iter": 2, "random_state": 0}
    clf = HCALClassifier(hierarchy, **small).fit(X, Y)
    before = clf.predict_proba(X)
    for name in SCORED:
        found = ROWS[DEFAULTS].also[name](clf, X, hierarchy)
        other = HCALClassifier(hierarchy, **small, **CHANGES[name]).fit(X, Y)
        np.testing.assert_array_equal(found[0], other.predict_proba(X))
        np.testing.assert_array_equal(found[2], other.predict(X))
        assert (found[0] != before).any()
    assert clf.coherence == "auto" and (clf.predict_proba(X) == before).all()


@pytest.mark.parametrize("kind", ["many", "paths"])
@pytest.mark.parametrize("loss", ["auto", "mcloss"])
@pytest.mark.parametrize("wide", [False, True])
def test_what_auto_decides_is_known_before_a_fit(kind, loss, wide):
    hierarchy, X, Y = task(kind)
    # "auto" drops no input of few features
    X = np.hstack([X] * (len(X) // X.shape[1] + 1 if wide else 5))
    assert 10 <= X.shape[1] and (X.shape[1] > len(X)) == wide
    options = {"hidden_layer_sizes": (5,), "max_iter": 1, "label_loss": loss}
    clf = HCALClassifier(hierarchy, **options).fit(X, Y)
    params = clf.get_params()
    said = variants.without_auto(params, kind == "paths", wide)
    said = {name: said[name] for name, value in params.items() if value == "auto"}
    told = {"leaf_prediction", "n_sampled_labels", "device"}  # no variant changes them
    assert not told & {name for changes in CHANGES.values() for name in changes}
    # dropout is one parameter of three shares
    assert len(said.keys() - told) >= 4
    for name in said.keys() - told:
        assert said[name] == getattr(clf, f"{name}_") != "auto"


def test_a_variant_that_is_the_default_is_known():
    nothing = variants.changes_nothing
    assert nothing("sigmoids", "enron") and not nothing("sigmoids", "diatoms")
    assert nothing("max constraint", "seq_GO")
    assert nothing("input dropout .4", "enron")
    assert not nothing("input dropout .4", "seq_FUN")
    assert not nothing("max constraint", "imclef07a")
    assert not nothing(DEFAULTS, "enron") and not nothing(PEER, "enron")


def test_a_variant_of_a_changed_default_is_known(monkeypatch):
    class Other(HCALClassifier):
        def __init__(
            self, hierarchy=None, *, dropout="auto", gamma=2.0, label_loss="auto"
        ):
            options = {"gamma": gamma, "label_loss": label_loss}
            super().__init__(hierarchy, dropout=dropout, **options)

    assert not variants.changes_nothing("gamma 2", "enron")
    monkeypatch.setattr(variants, "HCALClassifier", Other)
    assert variants.changes_nothing("gamma 2", "enron")
    assert all(job.row != "gamma 2" for job in variants.jobs_of())


# -- data ------------------------------------------------------------------------------


def test_the_data_sets_are_those_with_published_figures():
    assert set(variants.SETS) == set(sets.PUBLISHED["C-HMCNN(h)"])
    assert sorted(tables.COLUMNS) == sorted(variants.SETS)


@pytest.mark.parametrize("name", variants.SETS)
def test_no_validation_row_is_a_test_row(name):
    real_data_home()
    data = fetch_clus(name, download_if_missing=False)
    fit, held_out = sets.split(data, "valid")
    assert len(np.intersect1d(held_out, data.test)) == 0
    assert len(np.intersect1d(fit, data.test)) == 0
    together = np.sort(np.concatenate([data.train, data.valid]))
    np.testing.assert_array_equal(np.sort(np.concatenate([fit, held_out])), together)
    assert 0.15 < len(held_out) / len(together) < 0.4
    assert is_single_path(data.target, data.hierarchy) == (name in tables.PATHS)
    assert data.hierarchy.is_tree == (name not in variants.DAGS)


def test_a_quick_fit_is_scored_on_validation_rows_alone(monkeypatch):
    real_data_home()
    loaded, load = [], jobs.load

    def noted(name, part):
        loaded.append((part, load(name, part)))
        return loaded[-1][1]

    monkeypatch.setattr(jobs, "load", noted)
    monkeypatch.setitem(jobs.QUICK, "max_iter", 1)
    found = variants.fit_and_score(Job("enron", DEFAULTS, 0), quick=True)
    ((part, data),) = loaded
    assert part == "valid" and len(data.held_out) == 198  # a fifth of 988
    assert json.loads(json.dumps(found)) == found
    assert list(found["also"]) == SCORED
    assert found["also"]["max constraint"]["au_prc"] == found["au_prc"] > 0.5
    step = found["also"][NO_STEP]
    assert step["hvr"] == step["hvr_raw"] == found["hvr_raw"]


def test_isotonic_probabilities_are_asked_of_trees_alone():
    hierarchy, X, Y = task("many")
    assert not hierarchy.is_tree
    clf = HCALClassifier(hierarchy, hidden_layer_sizes=(5,), max_iter=1).fit(X, Y)
    found = {name: read(clf, X, hierarchy) for name, read in variants.ALSO.items()}
    assert [name for name, said in found.items() if said is None] == ["isotonic"]
    assert not set(variants.DAGS) & set(variants.sets_of("isotonic"))


# -- jobs ------------------------------------------------------------------------------


def test_jobs_run_variant_by_variant():
    planned = variants.jobs_of()
    assert len(planned) == len(set(planned))
    n_defaults = len(variants.SETS) * variants.SEEDS
    assert {job.row for job in planned[:n_defaults]} == {DEFAULTS}
    assert [job.data_set for job in planned[:n_defaults:2]] == list(variants.SETS)
    assert list(dict.fromkeys(job.row for job in planned)) == [
        name
        for name in ROWS
        if not all(variants.changes_nothing(name, x) for x in variants.SETS)
    ]
    assert not any(variants.changes_nothing(j.row, j.data_set) for j in planned)
    few = variants.jobs_of([NO_STEP, PEER], ["enron", "diatoms"], seeds=1)
    expected = [(s, v) for v in (DEFAULTS, PEER) for s in ("enron", "diatoms")]
    assert few == [Job(*pair, 0) for pair in expected]


def test_what_is_done_is_not_run_again(tmp_path, monkeypatch):
    path, done = tmp_path / "results.json", []

    def one_by_one(fit, todo, n_processes):
        for job in todo:
            done.append(job)
            yield job, fit(job), None

    monkeypatch.setattr(series, "side_by_side", one_by_one)
    planned = variants.jobs_of([NO_HEAD], ["enron"])
    figures = made("enron", DEFAULTS, 0, 0.5)
    figures = {
        k: x for k, x in figures.items() if k not in {*Job._fields, "fingerprint"}
    }
    assert ablation.FITS.run(planned[:3], path, fit=lambda job: dict(figures)) == []
    assert ablation.FITS.pending(planned, path) == planned[3:]
    ablation.FITS.run(planned[3:], path, fit=lambda job: dict(figures))
    assert ablation.FITS.pending(planned, path) == [] and done == planned
    found = results.read(path)
    assert len(differences.comparable(found)) == len(planned) == 4


# -- differences -----------------------------------------------------------------------


def test_differences_are_paired_by_data_set_and_seed():
    found = differences.differences(cells_of(*RUNS), NO_HEAD)
    assert list(found) == ["enron", "diatoms"]
    np.testing.assert_allclose(found["enron"], [0.003, 0.001])
    np.testing.assert_allclose(found["diatoms"], [-0.1])
    assert differences.over_sets(found, ["enron"]) == (pytest.approx(0.002), None)
    mean, error = differences.over_sets(found, variants.SETS)
    assert mean == pytest.approx((0.002 - 0.1) / 2)
    assert error == pytest.approx((0.002 + 0.1) / 2)  # of two, half their distance
    assert differences.over_sets(found, ["seq_GO"]) == (None, None)
    scored = differences.differences(cells_of(*RUNS), NO_STEP)
    np.testing.assert_allclose(scored["enron"], [-0.010, -0.008])
    assert differences.differences({}, NO_HEAD) == {}


def test_errors_of_means_by_hand():
    found = {"a": np.array([0.1, 0.3]), "b": np.zeros(2), "c": np.full(1, 0.4)}
    mean, error = differences.over_sets(found, "abcd")
    assert mean == pytest.approx(0.2)
    assert error == pytest.approx(0.2 / np.sqrt(3))  # of .2, 0 and .4


def test_runs_of_other_defaults_are_not_compared():
    found = file_of(*RUNS)
    assert len(differences.comparable(found)) == len(RUNS) - 1  # of those on seq_GO
    (name,) = {run["fingerprint"] for run in RUNS if run["row"] == NO_HEAD}
    key = "hcalclassifier__temperature"
    for details in found["definitions"].values():
        details[key] = 7.0
    assert len(differences.comparable(found)) == len(RUNS) - 1
    found["definitions"][name][key] = 8.0  # which the variant does not change
    kept = differences.comparable(found)
    assert kept and {run["row"] for run in kept} == {DEFAULTS}
    found["definitions"][name] |= {key: 7.0, "hcalclassifier__linear_head": True}
    assert {run["row"] for run in differences.comparable(found)} == {DEFAULTS}


def test_another_estimator_has_its_own_defaults():
    runs = [*RUNS, made("enron", PEER, 0, 0.6)]
    found = differences.differences(cells_of(*runs), PEER)
    np.testing.assert_allclose(found["enron"], [-0.1])


def test_where_nothing_changes_the_difference_is_zero():
    stale = made("enron", "sigmoids", 0, 0.1)
    found = file_of(*RUNS, stale)
    assert stale not in differences.comparable(found)
    found = differences.differences(cells_of(*RUNS, stale), "sigmoids")
    assert {name: x.tolist() for name, x in found.items()} == {"enron": [0.0, 0.0]}


# -- tables ----------------------------------------------------------------------------


def test_a_group_has_differences_means_and_what_is_missing():
    made_table = tables.group_table(cells_of(*RUNS), "Prototypes")
    found = {
        name: dict(zip(lines_of(made_table)[""], cells, strict=True))
        for name, cells in lines_of(made_table).items()
    }
    line = found[NO_HEAD]
    assert line["enron"] == "+2.0" and line["diatoms"] == "-100.0 (1 of 2 seeds)"
    assert line["single paths, 2 sets"] == "-100.0 (1 of 2)"
    assert line["many paths, 9 sets"] == "+2.0 (1 of 9)"
    assert line["better on"] == "1 of 2"
    assert line["seq_GO"] == line["GO, 4 sets"] == "–"
    sds = found["standard deviation of the defaults"]
    assert sds["enron"] == "14.1" and sds["diatoms"] == "0.0"
    assert sds["many paths, 9 sets"] == "–" == sds["seq_GO"]
    assert found["unit features"]["enron"] == found["unit features"]["seq_GO"] == "–"
    assert found["unit features"]["diatoms"] == "same"


def test_means_have_errors_and_say_where_nothing_changes():
    more = made("seq_FUN", DEFAULTS, 0, 0.3, also={NO_STEP: {"au_prc": 0.304}})
    made_table = tables.group_table(cells_of(*RUNS, more), "Coherence")
    found = lines_of(made_table)
    heads = found[""]
    step = dict(zip(heads, found[NO_STEP], strict=True))
    assert step["enron"] == "-9.0" and step["seq_FUN"] == "+4.0 (1 of 2 seeds)"
    assert step["many paths, 9 sets"] == "-2.5 ± 6.5 (2 of 9)"
    same = dict(zip(heads, found["sigmoids"], strict=True))
    assert same["enron"] == same["seq_GO"] == same["FunCat, 4 sets"] == "same"
    assert same["diatoms"] == same["single paths, 2 sets"] == "–"
    assert same["many paths, 9 sets"] == "same"
    assert same["better on"] == "–"  # no fit of the variant


def test_deviations_over_all_data_sets_by_hand():
    names = variants.SETS
    runs = [made(x, DEFAULTS, k, 0.5 + 0.002 * k) for x in names for k in range(2)]
    found = lines_of(tables.group_table(cells_of(*runs), "Budget"))
    sd = 1000 * np.std([0.5, 0.502], ddof=1)
    line = found["standard deviation of the defaults"]
    assert line[0] == f"{sd:.1f}"
    assert line[-3:] == [f"{sd / np.sqrt(9):.1f}", f"{sd / np.sqrt(2):.1f}", ""]


def test_leaves_and_seconds():
    cells = cells_of(*RUNS)
    leaves = lines_of(tables.leaf_table(cells))
    assert leaves[NO_HEAD] == ["-20.0 (1 of 2 seeds)", "–", "-20.0 (1 of 2)", "0 of 1"]
    assert leaves["standard deviation of the defaults"][0] == "70.7"
    cost = lines_of(tables.seconds_table(cells))
    assert cost[NO_HEAD] == ["–", "–", "0.50 (1 of 9)", "1.00 (1 of 2)"]
    assert not set(SCORED) & set(cost)


def test_no_difference_is_less_than_none():
    assert tables.thousandths(-1e-9) == tables.thousandths(0.0) == "+0.0"


def test_the_summary_takes_what_most_data_sets_have_for_a_difference():
    # of nine data sets, the last three differ in the margin that they have
    margins = {
        NO_HEAD: (-0.004, 0.001),
        "gamma 2": (0.003, 0.003),
        "DWA": (0.002, 0.006),
    }
    many, runs = tables.MEANS["many paths"], []
    for name in variants.SETS:
        runs.append(made(name, DEFAULTS, 0, 0.5))
        for variant, (margin, other) in margins.items():
            margin += (other - margin) * (name in many[-3:])
            runs.append(made(name, variant, 0, 0.5 + margin))
    cells = cells_of(*runs)
    head, _, *lines = tables.summary(cells).splitlines()
    assert "many paths" in head
    mean, error = (6 * -4 + 3 * 1) / 9, np.std([-4] * 6 + [1] * 3, ddof=1) / 3
    assert (
        lines[0] == f"- Worse than the defaults: {NO_HEAD} ({mean:.1f} ± {error:.1f})."
    )
    said = f"DWA (+3.3 ± {np.std([2] * 6 + [6] * 3, ddof=1) / 3:.1f})"
    assert lines[1] == f"- Better than the defaults: gamma 2 (+3.0 ± 0.0), {said}."
    assert lines[2].startswith("- Not fitted") and "unit features" in lines[2]
    assert "sigmoids" not in "".join(lines)  # what the defaults have, of many paths
    few = [run for run in runs if run["data_set"] != "seq_GO"]
    assert "Worse" not in tables.summary(cells_of(*few))
    paths = f"- gamma 2 (+3.0 / +3.0), DWA (+2.0 / +2.0), {NO_HEAD} (-4.0 / -4.0)."
    assert lines[-1] == paths and "``diatoms`` / ``imclef07a``" in lines[-3]


def test_a_mean_that_two_of_nine_data_sets_make_is_no_difference():
    many = tables.MEANS["many paths"]
    runs = [made(name, DEFAULTS, 0, 0.5) for name in many]
    runs += [made(x, "DWA", 0, 0.5 + 0.02 * (x in many[-2:])) for x in many]
    text = tables.summary(cells_of(*runs))
    assert "- Neither: DWA (+4.4 ± 2.9)." in text and "- not fitted yet." in text


def test_changes_are_said_as_code():
    said = variants.said_changes
    assert said(NO_HEAD) == "``linear_head=False``"
    assert said("published mechanisms") == "``**HCALClassifier.PUBLISHED, max_iter=30``"
    assert said(PEER) == f"``{MaxConstraintClassifier.__name__}()``"


# -- the documentation -----------------------------------------------------------------


def test_the_documentation_has_the_tables_of_the_results():
    text = ablation.PAGE.read_text()
    assert text == ablation.page()
    page = ablation.PAGE.with_name("ablation.rst").read_text()
    names = [x.split()[-1] for x in text.splitlines() if x.startswith(".. begin ")]
    assert len(names) == 6 + len(variants.GROUPS)
    for name in names:
        include = f".. include:: {ablation.PAGE.name}\n"
        begin, end = f".. begin {name}", f".. end {name}"
        assert f"{include}   :start-after: {begin}\n   :end-before: {end}\n" in page


def test_a_page_of_some_results_says_what_it_lacks(tmp_path):
    path = tmp_path / "results.json"
    nothing = ablation.page(path)
    assert "0 fits are in these tables" in nothing and "Better" not in nothing
    gone = [made("enron", DEFAULTS, 0, 0.5) | {"row": "a row that is gone"}]
    results.write(path, file_of(*RUNS, *gone))
    text = ablation.page(path)
    planned = len(variants.jobs_of())
    assert f"{len(RUNS) - 1} fits are in these tables; {planned} are planned" in text
    assert "2 fits of other defaults or variants are left out." in text
    assert f"{len(RUNS) - 1} were made on c, 2 cores, skhmc 0." in text
    assert "0.710 ± 0.014" in text  # the defaults


# -- the command -----------------------------------------------------------------------


def test_options(capsys):
    options = ablation.parse(["--data-set", "enron", "--variant", NO_HEAD, "--seeds=1"])
    assert options.planned == [Job("enron", DEFAULTS, 0), Job("enron", NO_HEAD, 0)]
    quick = ablation.parse(["--quick"]).planned
    assert {(job.data_set, job.seed) for job in quick} == {("enron", 0)}
    with pytest.raises(SystemExit):
        ablation.parse(["--data-set", "pheno_GO"])
    assert "invalid choice: 'pheno_GO'" in capsys.readouterr().err


def test_a_quick_run_writes_nothing(monkeypatch):
    asked = []

    def fake(todo, path, n_processes, fit):
        asked.append((todo, path, n_processes, fit.func, fit.keywords))
        return []

    monkeypatch.setattr(ablation.FITS, "run", fake)
    monkeypatch.setattr(ablation.FITS, "document", lambda: 1 / 0)
    monkeypatch.setattr(series.signal, "signal", lambda *args: None)
    monkeypatch.setattr("sys.argv", ["", "--quick", "--variant", NO_STEP])
    ablation.main()
    quick = {"device": "cpu", "quick": True}
    only = [Job("enron", DEFAULTS, 0)]
    assert asked == [(only, None, 2, variants.fit_and_score, quick)]
