"""The comparisons of benchmarks.tune.

``comparison`` has what they share, ``networks`` those whose variants are parameters of
a network, or steps before it. What is fitted or measured differs in the others, one to
a module; ``timing`` has two that take times alone.
"""
