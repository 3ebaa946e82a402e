"""A short run of ``python -m benchmarks.soak_load``: same bits, and no leak."""

import pytest

from benchmarks import soak_load
from benchmarks.command import in_own_process


@pytest.mark.slow
def test_some_predictions_and_fits_leave_bits_and_memory_as_they_are():
    made = {
        "predictions": in_own_process(soak_load.predictions, 200),
        "fits": in_own_process(soak_load.fits, 60),
    }
    assert made["predictions"]["calls"] == 200 and made["fits"]["calls"] == 60
    for name in ("p50", "p99"):  # of a machine that may be busy
        assert 0 < min(made["predictions"].pop(name))
        made["predictions"][name] = (1, 1)
    assert soak_load.faults(made) == []
