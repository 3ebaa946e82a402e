"""Measures of the code of each package: how much of it there is, and how dense it is.

    python -m benchmarks.code_measures [--package FOLDER] [--no-tests]

prints a table with a row for each package inside skhmc, and one for all of it; how many
parameters each estimator's constructor has; and how many tests pytest collects. All but
the last is read from the source, so that FOLDER may be of another commit.

Code lines are neither blank nor comments nor docstrings. The length of a function is
that of its body without the docstring. A parallel assignment has a tuple on both sides
(``a, b = x, y``). Comments and the like are counted per 1000 statements.
"""

import argparse
import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTIONS)


@dataclass
class Counts:
    """What is counted in some files; counts of several files may be added."""

    n_files: int = 0
    n_code_lines: int = 0
    n_statements: int = 0
    n_parallel: int = 0
    n_conditional: int = 0
    n_comments: int = 0
    lengths: list = field(default_factory=list)  # of functions

    def __add__(self, other):
        return Counts(
            self.n_files + other.n_files,
            self.n_code_lines + other.n_code_lines,
            self.n_statements + other.n_statements,
            self.n_parallel + other.n_parallel,
            self.n_conditional + other.n_conditional,
            self.n_comments + other.n_comments,
            self.lengths + other.lengths,
        )


def docstring_of(node):
    """Return the statement that is a module's, class's or function's docstring."""
    if not isinstance(node, DOCUMENTED) or ast.get_docstring(node) is None:
        return None
    return node.body[0]


def is_parallel(node):
    """Tell whether a statement assigns a tuple to a tuple of names."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
        return False
    return any(isinstance(target, ast.Tuple) for target in node.targets)


def body_length(function):
    """Return how many lines a function's body has without its docstring."""
    body = function.body
    if docstring_of(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def code_lines(source, nodes):
    """Count lines of a source that are not blank, not comments and not docstrings."""
    documented = set()
    for node in nodes:
        docstring = docstring_of(node)
        if docstring is not None:
            documented |= set(range(docstring.lineno, docstring.end_lineno + 1))
    n_lines = 0
    for number, line in enumerate(source.splitlines(), 1):
        text = line.strip()
        n_lines += bool(text) and not text.startswith("#") and number not in documented
    return n_lines


def count(source):
    """Return the Counts of one file's source."""
    nodes = list(ast.walk(ast.parse(source)))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return Counts(
        n_files=1,
        n_code_lines=code_lines(source, nodes),
        n_statements=sum(isinstance(node, ast.stmt) for node in nodes),
        n_parallel=sum(map(is_parallel, nodes)),
        n_conditional=sum(isinstance(node, ast.IfExp) for node in nodes),
        n_comments=sum(token.type == tokenize.COMMENT for token in tokens),
        lengths=[body_length(node) for node in nodes if isinstance(node, FUNCTIONS)],
    )


def count_packages(root):
    """Return Counts by package: "" for the modules beside the packages."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).parts
        package = inside[0] if len(inside) > 1 else ""
        found[package] = found.get(package, Counts()) + count(path.read_text())
    return found


def public_names(root):
    """Return the names that packages offer: the strings in their ``__init__.py``."""
    return {
        node.value
        for path in root.rglob("__init__.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def constructor_parameters(root):
    """Return how many parameters the constructor of each public estimator has.

    An estimator is a class that has a method ``fit``, or inherits it from a class of
    the package.
    """
    classes = {
        node.name: node
        for path in sorted(root.rglob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    }

    def methods(name):
        """Return the methods of a class and of those it inherits from, by name."""
        found = {}
        if name in classes:
            for base in reversed(classes[name].bases):
                found |= methods(ast.unparse(base))
            for node in classes[name].body:
                if isinstance(node, FUNCTIONS):
                    found[node.name] = node
        return found

    numbers = {}
    for name in classes.keys() & public_names(root):
        if methods(name).keys() >= {"__init__", "fit"}:
            arguments = methods(name)["__init__"].args
            named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            numbers[name] = len(named) - 1  # without self
    return numbers


def count_tests():
    """Return how many tests pytest runs by default, and how many there are."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    last = said.stdout.strip().splitlines()[-1]
    found = re.search(r"(?:(\d+)/)?(\d+) tests collected", last)
    if said.returncode or not found:
        raise RuntimeError(f"pytest could not collect all tests: {last}")
    chosen, every = found.groups()
    return int(chosen or every), int(every)


COLUMNS = [
    *("files", "code lines", "median length", "longest"),
    *("parallel", "conditional", "comments"),
]


def cells(counts):
    """Return what the table says of some files."""

    def rate(number):
        return f"{1000 * number / max(1, counts.n_statements):.1f}"

    lengths = counts.lengths or [0]
    return [
        f"{counts.n_files}",
        f"{counts.n_code_lines}",
        f"{statistics.median(lengths):g}",
        f"{max(lengths)}",
        rate(counts.n_parallel),
        rate(counts.n_conditional),
        rate(counts.n_comments),
    ]


def print_table(packages):
    rows = {name or "(top level)": cells(counts) for name, counts in packages.items()}
    rows["all"] = cells(sum(packages.values(), Counts()))
    print(f"{'':18}", *(f"{column:>13}" for column in COLUMNS))
    for name, row in rows.items():
        print(f"{name:18}", *(f"{cell:>13}" for cell in row))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, default=REPOSITORY / "skhmc")
    parser.add_argument("--no-tests", action="store_true", help="collect no tests")
    args = parser.parse_args()
    print_table(count_packages(args.package))
    print("\nParameters of constructors")
    numbers = constructor_parameters(args.package)
    for name, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0])):
        print(f"{name:40}{number:4}")
    if not args.no_tests:
        chosen, every = count_tests()
        print(f"\nTests: {chosen} by default, {every} in all")


if __name__ == "__main__":
    main()
