"""Estimators link to the documentation that the package's metadata name, if any."""

from email import message_from_string
from importlib.metadata import PackageNotFoundError

import pytest
from sklearn.base import BaseEstimator

import skhmc
from skhmc._utils import doc_link
from tests.test_docs import read_api_page
from tests.test_public_names import public_modules

HOME = "https://docs.example.org/skhmc"
ESTIMATORS = {
    thing: f"{module.__name__}.{name}"
    for module in public_modules()
    for name in module.__all__
    if isinstance(thing := getattr(module, name), type)
    and issubclass(thing, BaseEstimator)
}


@pytest.fixture
def set_urls(monkeypatch):
    """Return a function that makes these the addresses of [project.urls]."""

    def set_urls(*urls):
        lines = [f"Project-URL: {url}\n" for url in urls]
        message = message_from_string("".join(lines) + "\n")
        monkeypatch.setattr(doc_link, "metadata", lambda name: message)

    return set_urls


@pytest.fixture(autouse=True)
def built(monkeypatch, tmp_path):
    """Return the folder where built pages are looked for: it has none."""
    monkeypatch.setattr(doc_link, "BUILT", tmp_path)
    return tmp_path


def link_of(estimator):
    return object.__new__(estimator)._get_doc_link()  # no parameter matters


def test_estimators_link_to_their_pages(set_urls):
    set_urls("Source, https://example.org", f"Documentation, {HOME}/")
    pages = {f"{module}.{name}" for module, name in read_api_page()}
    assert len(ESTIMATORS) >= 10
    for estimator, name in ESTIMATORS.items():
        assert link_of(estimator) == f"{HOME}/api/generated/{name}.html"
        assert name in pages
    assert f'href="{HOME}/api' in skhmc.HCALClassifier()._repr_html_()
    own = type("Own", (skhmc.HCALClassifier,), {"__module__": "theirs"})
    assert link_of(own) == ""


def test_without_an_address_there_is_no_link(set_urls, monkeypatch):
    for urls in [(), ("Source, https://example.org",)]:
        set_urls(*urls)
        assert {link_of(estimator) for estimator in ESTIMATORS} == {""}
        assert "api/generated" not in skhmc.HCALClassifier()._repr_html_()

    def find_none(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doc_link, "metadata", find_none)
    assert link_of(skhmc.HCALClassifier) == ""


def test_without_an_address_built_pages_are_linked(set_urls, built):
    set_urls("Source, https://example.org")
    (built / "index.html").touch()
    page = f"{built.as_uri()}/api/generated/skhmc.HCALClassifier.html"
    assert link_of(skhmc.HCALClassifier) == page
    assert page in skhmc.HCALClassifier()._repr_html_()
    set_urls(f"Documentation, {HOME}")
    assert link_of(skhmc.HCALClassifier).startswith(HOME)
