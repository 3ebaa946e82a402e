"""Fits and files in own processes, killed and interrupted at random moments."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["saves", "kills", "interruptions"])
def test_a_few_stops_of_the_soak(kind):
    run = [sys.executable, "-m", "benchmarks.soak_stops", "--quick", "--seed", "1"]
    done = subprocess.run(
        [*run, "--stops", "5", "--only", kind],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'wrong': []" in done.stdout and done.stdout.endswith("passed\n")
