"""One thread and no windows; and missing data sets can be made to fail the tests.

With ``SKHMC_REQUIRE_DATA=1`` (as ``.ci/run`` sets it) a test that would be skipped for
want of a data set, with a message that names ``SKHMC_DATA_HOME``, fails instead.
"""

import os

import hypothesis
import pytest
import torch
from threadpoolctl import threadpool_limits

os.environ["OMP_NUM_THREADS"] = "1"  # of subprocesses
os.environ["MPLBACKEND"] = "Agg"
torch.set_num_threads(1)
LIMITS = threadpool_limits(1)  # of numpy and scikit-learn, in this process

hypothesis.settings.register_profile("skhmc", deadline=None)  # times vary on CI
hypothesis.settings.load_profile("skhmc")


@pytest.hookimpl(tryfirst=True)  # before "-m" chooses
def pytest_collection_modifyitems(items):
    """Leave to ``make slow`` what takes seconds for each network."""
    for item in items:
        if "check_class_weight_classifiers" in item.name:
            item.add_marker(pytest.mark.slow)


def _fail_without_data(report):
    required = os.environ.get("SKHMC_REQUIRE_DATA", "") not in ("", "0")
    xfailed = hasattr(report, "wasxfail")
    if required and report.skipped and not xfailed:
        reason = report.longrepr[2] if report.longrepr else ""
        if "SKHMC_DATA_HOME" in reason:
            report.outcome = "failed"
            report.longrepr = f"{reason} (a failure, since SKHMC_REQUIRE_DATA is set)"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _fail_without_data((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _fail_without_data((yield))
