"""Taxonomies as strings: product categories, codes, file paths, and plain names."""

import re

from benchmarks.soak_parts.drawn import edges_of
from benchmarks.soak_parts.outcome import REFUSED, RIGHT, WARNED, Case
from skhmc import Hierarchy
from skhmc.preprocessing import HierarchicalLabelBinarizer, TaxonomyEncoder

__all__ = ["PATHS"]

NAMES = (
    "Animals Cats Dogs Birds Fish Mammals Food Fruit Bread Toys Cars Books Garden "
    "Tools Music Rock Jazz Games Home Kitchen Shoes Bags Phones Laptops Cameras Baby "
    "Health Beauty Sports Bikes Tents Office Paper Pens Art Film Drama Comedy Action"
).split()
# Names that hold what also separates
ODD = (
    "R&B;Rock/Pop;N/A;Home & Garden;T-Shirts;Wi-Fi;Food, Beverages & Tobacco;Bird/Fish "
    "Supplies;Version 2.0;USB 3.1;Coffee/Tea;St. Louis;Men's;C++;24/7;Health - Beauty;"
    "3.5 mm;R&D;AC/DC;Hi-Fi;snake_case;O'Neil;a.m.;Paris, Texas;12:30;No. 5;Wi-Fi 6;"
    "Film (2010);50% off;x.y"
).split(";")
CERTAIN = [">", "->", "=>", ">>", "::", "|", "\\", ";", "\u00bb", "\u203a", "\u2192"]
SEPARATORS = [*CERTAIN, *(f" {x} " for x in CERTAIN), "\t", "/", " / ", "; "]
WEAK = [" - ", "__", ".", ":", ": ", " : "]
CODES = [".", "/", ":"]  # that numbers are joined by
HOLDS = re.compile(r"[/.:;|\\>,\t]|__| - |\u00bb|\u203a|\u2192")


class Taxonomy:
    """Rows of a table of paths: what they mean, and how they are written."""

    def __init__(self, rows, sep, style, texts):
        self.rows = rows
        self.sep = sep
        self.style = style
        self.texts = texts
        self.symbol = sep if sep in ("\t", " - ") else sep.strip()

    @property
    def labels(self):
        """Every beginning of a row."""
        return {row[:k] for row in self.rows for k in range(1, len(row) + 1)}

    @property
    def deep(self):
        """Rows below another label."""
        return {row for row in self.rows if len(row) > 1}

    @property
    def joins(self):
        """Whether rows share a beginning, or stand below one another."""
        above = [row[:-1] for row in self.deep]
        tops = [row[:1] for row in self.deep]
        given = set(above) & (set(self.rows) | self.deep)
        return bool(given) or len(set(above)) < len(above) or len(set(tops)) < len(tops)

    def is_read(self, hierarchy):
        """Tell whether a hierarchy is the one that is meant."""
        names = {}
        for name in hierarchy.labels:
            parts = name.split(self.symbol)
            names[name] = tuple(part.strip() for part in parts)
        edges = {(names[a], names[b]) for a, b in edges_of(hierarchy)}
        meant = {(row[:-1], row) for row in self.labels if len(row) > 1}
        found = sorted(names.values())
        return found == sorted(self.labels) and edges == meant

    def is_flat(self, hierarchy):
        """Tell whether a hierarchy has the strings as labels, without edges."""
        texts = {" ".join(text.split()) for text in self.texts}
        names = {" ".join(name.split()) for name in hierarchy.labels}
        return not len(hierarchy.edges) and names == texts

    def tells(self, sure):
        """Tell whether the strings say that they are paths."""
        share = len(self.deep) / len(set(self.rows))
        if not self.deep or (self.style == "ids" and self.symbol in (*WEAK, ":", "/")):
            return False
        if self.symbol == "/":
            deeper = max(map(len, self.rows)) > 2
            return sure or share > 0.5 or (share == 0.5 and self.joins) or deeper
        if self.symbol not in (*WEAK, ":"):
            return True
        if sure and self.symbol in (" - ", "__"):
            return True
        return self.joins and share >= 0.5

    def is_undecided(self, sure):
        """Tell where another reading is as good."""
        if self.style == "mixed" and self.symbol == "/":
            held = [text for text in self.texts if "/" in text]
            return all(" / " in text for text in held)
        # known to be paths, of which those here have one part, with a "/" in it
        return sure and not self.deep and any(map(HOLDS.search, self.texts))


# -- drawing ---------------------------------------------------------------------------


def _grow(rng, name, roots, depths):
    """Return the paths of a random forest."""
    paths = []
    waiting = [((root,), rng.choice(depths)) for root in roots]
    while waiting:
        path, depth = waiting.pop(0)
        paths.append(path)
        if depth and rng.random() < 0.85:
            below = {name(): None for _ in range(rng.choice([1, 2, 2, 3, 4]))}
            waiting += [((*path, x), depth - 1) for x in below]
    return paths


def _named(rng, odd):
    def name():
        return rng.choice(ODD) if rng.random() < odd else rng.choice(NAMES)

    roots = {name(): None for _ in range(rng.choice([1, 1, 2, 3, 6]))}
    return _grow(rng, name, roots, [0, 1, 1, 2, 3])


def _numbered(rng):
    def name():
        return str(rng.randint(1, 9))

    roots = {name(): None for _ in range(rng.choice([1, 2, 4]))}
    return _grow(rng, name, roots, [0, 1, 2, 3])


def _draw(rng):
    """Return a random taxonomy."""
    sep = rng.choice(SEPARATORS if rng.random() < 0.7 else WEAK)
    odd = rng.choice([0, 0, 0.1, 0.3])
    symbol = sep if sep in ("\t", " - ") else sep.strip()
    codes = sep in CODES and rng.random() < 0.6
    paths = _numbered(rng) if codes else _named(rng, odd)
    # no name holds what separates
    names = {name for path in paths for name in path if symbol in name}
    paths = [path for path in paths if not names & set(path)] or [("Animals", "Cats")]
    inner = {path[:-1] for path in paths}
    if rng.random() < 0.5:
        paths = [path for path in paths if path not in inner]
    rng.shuffle(paths)
    if rng.random() < 0.5:
        paths = paths[: rng.randint(1, len(paths))]
    style = rng.choice(["plain", "plain", "padded", "repeated", "mixed", "ids"])
    return Taxonomy(paths, sep, style, _write(rng, paths, sep, symbol, style))


def _write(rng, paths, sep, symbol, style):
    """Return the paths as strings, written in one of several ways."""
    spaced = symbol in (*CERTAIN, "/")
    if style == "mixed" and spaced:
        return [_mixed(rng, path, symbol) for path in paths]
    texts = [sep.join(path) for path in paths]
    if style == "padded":
        ends = ["", "", "\n", " ", "  "]
        return [f"{rng.choice(ends[:2])}{text}{rng.choice(ends)}" for text in texts]
    if style == "repeated":
        return [*texts, *rng.choices(texts, k=3)]
    if style == "ids" and symbol != " - ":
        return [f"{11 + k} - {text}" for k, text in enumerate(texts)]
    return texts


def _mixed(rng, path, symbol):
    text = path[0]
    for name in path[1:]:
        text += rng.choice([symbol, f" {symbol} "]) + name
    return text


# -- reading ---------------------------------------------------------------------------


def _binarized(texts):
    return HierarchicalLabelBinarizer().fit([[text] for text in texts]).hierarchy_


def _encoded(texts):
    return TaxonomyEncoder("paths").fit([[text] for text in texts]).taxonomies_[0]


def _case(rng, read, sure):
    drawn = _draw(rng)
    tells, undecided = drawn.tells(sure), drawn.is_undecided(sure)

    def is_right(found):
        if undecided or drawn.is_read(found):
            return True
        return not tells and drawn.is_flat(found)

    shown = (drawn.sep, drawn.style, drawn.texts)
    return Case(lambda: read(drawn.texts), is_right, shown, (RIGHT, WARNED, REFUSED))


def built(rng, folder):
    return _case(rng, Hierarchy.build, sure=False)


def from_paths(rng, folder):
    return _case(rng, Hierarchy.from_paths, sure=True)


def binarizer(rng, folder):
    return _case(rng, _binarized, sure=False)


def encoder(rng, folder):
    return _case(rng, _encoded, sure=True)


def separator_given(rng, folder):
    """With the separator named, there is one right reading."""
    drawn = _draw(rng)
    sep = drawn.symbol

    def read(texts):
        return Hierarchy.from_paths(texts, sep=sep)

    allowed = (RIGHT,) if drawn.deep else (RIGHT, REFUSED)

    def is_right(found):
        return drawn.is_read(found) or drawn.style == "ids"

    return Case(lambda: read(drawn.texts), is_right, (sep, drawn.texts), allowed)


def plain_names(rng, folder):
    """Names that are flat on purpose stay so without a word.

    At most half of them hold what separates in other lists. Where one stands beside
    its beginning ("Rock" and "Rock/Pop"), there may be a warning.
    """
    n_odd = rng.randint(0, 4)
    odd = {name.split("/")[0]: name for name in rng.sample(ODD, n_odd)}
    names = [*odd.values(), *rng.sample(NAMES, n_odd + rng.randint(1, 4))]
    rng.shuffle(names)
    read = rng.choice([Hierarchy.build, _binarized])
    beginnings = {part for name in names for part in re.split("/| - ", name)[:-1]}
    alike = beginnings & set(names)
    allowed = (RIGHT, WARNED, REFUSED) if alike else (RIGHT,)
    return Case(lambda: read(names), lambda x: not len(x.edges), names, allowed)


PATHS = {
    "build, strings": built,
    "from_paths": from_paths,
    "binarizer": binarizer,
    "TaxonomyEncoder": encoder,
    "from_paths, sep given": separator_given,
    "plain names": plain_names,
}
