"""What fits and predictions cost: formulas, and runs that measure their constants."""
