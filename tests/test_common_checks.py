"""scikit-learn's own checks, with no expected failure on a deterministic instance.

The fast suite runs them on one instance of each network; ``make slow`` repeats them on
the networks as users have them.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.instances import DEFAULT, DETERMINISTIC, KERNELS, LABEL_TREES


@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")  # one class, by design
@parametrize_with_checks([*DETERMINISTIC, *(e for _, e in KERNELS + LABEL_TREES)])
def test_deterministic_instances(estimator, check):
    check(estimator)


def weights_are_not_rows(estimator):
    """No mini-batch learner meets these two; the deterministic instances do."""
    reason = "mini-batches are cut differently when rows are repeated"
    return {
        f"check_sample_weight_equivalence_on_{kind}_data": reason
        for kind in ("dense", "sparse")
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")
@parametrize_with_checks(DEFAULT, expected_failed_checks=weights_are_not_rows)
def test_default_instances(estimator, check):
    check(estimator)
