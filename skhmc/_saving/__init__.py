"""Estimators in one file that runs no code when it is loaded: ``save`` and ``load``.

The file
--------
A file of `safetensors <https://huggingface.co/docs/safetensors>`_. What is not an array
is text in JSON, and that text is one of the arrays, so that nothing of it is limited by
the size of a header:

- ``document``: bytes, JSON in UTF-8. It says which format this is, which versions of
  which packages wrote it, which arrays there are, and what the objects are made of.
- ``0``, ``1``, ...: the arrays, in C order. One in Fortran order is written transposed,
  and the document says so. Many texts, such as label names, are two arrays: their bytes
  one behind the other, and where each one ends.
- the header's metadata, ``skhmc``: the number of the format and the SHA-256 of
  everything else, which finds damage. It is no signature: who writes a file can write
  this, too. What a stranger's file can do is limited by what follows.

The document
------------
Numbers, texts, lists, ``true``, ``false`` and ``null`` stand for themselves. All else
is an object with the key ``$``, which names one of the kinds that ``_encode.py`` writes
and ``_decode.py`` reads: a dict, an array, a class, ... An object of Python is its
class and its state, under a number, so that what two attributes share they share again.
The class has the name of a row in ``_types.py``: a name that the file gives is looked
up there and nowhere else. There is no other way for a file to have anything imported or
called. Estimators of scikit-learn are written by skops, by a list of types in
``_sklearn.py``. The modules of a network are the plain data that
``_networks/plain_modules.py`` makes of them.

What loading checks
-------------------
Sizes come first: nothing is allocated that is larger than what the file holds. Then the
sum, that every key stands once, that arrays are what the document says of them, that
hierarchies have no cycle, sparse matrices and trees no position outside, layers the
shapes of their weights. Whatever is wrong is a ``ModelFileError``.

Versions
--------
``FORMAT`` in ``_file.py`` rises when files of before could no longer be read as they
are; ``_decode.py`` then says what to do with those, and the files in ``tests/saved``
are loaded for ever. Within a format, whoever renames an attribute of a class that
files hold gives it a row in ``RENAMED`` of ``_types.py``.
"""

from skhmc._saving._api import load, save
from skhmc._saving._file import ModelFileError

__all__ = ["ModelFileError", "load", "save"]
