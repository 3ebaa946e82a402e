"""What the first release promises on real data, with default parameters (slow)."""

from functools import cache

import numpy as np
import pytest

from benchmarks.first_light import fit_and_score, in_own_process
from tests.real_data import real_data_home

pytestmark = pytest.mark.slow
fit_once = cache(fit_and_score)


@pytest.mark.parametrize("seed", range(3))
def test_cellcycle_fun_is_coherent_and_reaches_its_figure(seed):
    real_data_home()
    run = fit_once("cellcycle_FUN", seed)
    assert run["hvr"] == 0 and run["au_prc"] >= 0.245


def test_cellcycle_fun_reaches_its_figure_over_three_seeds():
    real_data_home()
    runs = [fit_once("cellcycle_FUN", seed) for seed in range(3)]
    assert np.mean([run["au_prc"] for run in runs]) >= 0.25


def test_imclef07a_reaches_its_leaf_accuracy_on_coherent_paths():
    real_data_home()
    run = fit_and_score("imclef07a", seed=0, max_iter=40)  # 60 by default
    assert run["form"] == "softmax"
    assert run["leaf_accuracy"] >= 0.86 and run["hvr"] == 0
    assert run["hvr_raw"] > 0  # coherence=None shows the raw rate


def test_cellcycle_go_fits_in_four_gigabytes():
    real_data_home()
    run = in_own_process("cellcycle_GO", 0, 30)  # 30 epochs; 60 by default
    assert run["peak_gb"] < 4 and run["hvr"] == 0 and run["au_prc"] > 0.40
