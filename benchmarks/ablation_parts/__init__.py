"""The parts of benchmarks.ablation; what it shares lies in ``accuracy_parts``.

``variants`` has what is fitted to which data sets, ``differences`` compares with the
defaults, ``tables`` writes the documentation.
"""
