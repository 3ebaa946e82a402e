"""Public names exist, and their docstrings follow numpydoc."""

import importlib
import inspect
import pkgutil
from functools import cached_property

import pytest
from numpydoc.validate import validate

import skhmc


def public_modules():
    """Return the modules without underscore that say what is public."""
    found = ["skhmc"]
    found += [m.name for m in pkgutil.walk_packages(skhmc.__path__, "skhmc.")]
    modules = [importlib.import_module(n) for n in found if "._" not in n]
    return [module for module in modules if hasattr(module, "__all__")]


def test_all_names_exist_and_say_what_they_are():
    silent = []
    for found in pkgutil.walk_packages(skhmc.__path__, "skhmc."):
        module = importlib.import_module(found.name)
        for public in getattr(module, "__all__", []):
            assert isinstance(public, str)
            thing = getattr(module, public)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                if not (thing.__doc__ or "").strip():
                    silent.append(f"{found.name}.{public}")
    assert not silent


def test_unknown_public_name():
    with pytest.raises(AttributeError, match="has no attribute 'HCALClasifier'"):
        skhmc.HCALClasifier  # noqa: B018
    assert set(skhmc.__all__) <= set(dir(skhmc))
    assert set(skhmc.__all__) == {*skhmc._ON_DEMAND, "Hierarchy", "__version__"}


def test_modules_are_names_of_skhmc():
    """``import skhmc`` alone is enough for all public modules, and lists them."""
    modules = {module.__name__ for module in public_modules()}
    top = {name for name in modules if name.count(".") == 1}
    assert {f"skhmc.{name}" for name in skhmc._MODULES} == top
    assert set(skhmc._MODULES) <= set(dir(skhmc))


# numpydoc's checks but for: an extended summary (ES01), examples (EX01) and "see also"
# (SA01) everywhere; capital letters where a Bunch lists its contents (RT04).
CHECKS = {
    *(f"GL{k:02d}" for k in range(1, 11)),
    *(f"SS{k:02d}" for k in range(1, 7)),
    *(f"PR{k:02d}" for k in range(1, 11)),
    *("RT01", "RT02", "RT03", "RT05"),
    *("YD01", "SA02", "SA03", "SA04"),
}
# A method may be said in one paragraph without sections, and what it returns by a
# summary that begins with "Return". Modules of nn/ have shapes in their type hints.
TYPED = {"PR01", "PR07", "RT01", "GL08"}


def documented():
    """Return the full names of public functions, classes and methods, each once."""
    found = {}
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            path = f"{module.__name__}.{name}"
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found.setdefault(thing, path)
    for thing, path in list(found.items()):
        if inspect.isclass(thing):
            found |= {f"{path}.{m}": f"{path}.{m}" for m in own_methods(thing)}
    return list(found.values())


def own_methods(kind):
    for name, member in inspect.getmembers(kind, callable):
        function = getattr(member, "__func__", member)
        module = getattr(function, "__module__", None) or ""
        if not name.startswith("_") and module.startswith("skhmc"):
            yield name


def own_members(kind):
    """Yield (name, function) of a class's methods and properties that skhmc defines."""
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        if isinstance(member, property):
            member = member.fget
        elif isinstance(member, cached_property):
            member = member.func
        else:
            member = getattr(member, "__func__", member)  # of a class method
        member = getattr(member, "fn", member)  # of sklearn's available_if
        module = getattr(member, "__module__", None) or ""
        is_public = not name.startswith("_") or name == "__init__"
        if is_public and callable(member) and module.split(".")[0] == "skhmc":
            yield name, member


def unhinted(function, name):
    """Yield what a function's signature says no type of."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    for parameter in parameters:
        if parameter.annotation is parameter.empty:
            yield f"{name}: parameter {parameter.name}"
    if signature.return_annotation is signature.empty:
        yield f"{name}: what it returns"


def test_public_functions_have_type_hints():
    things = {}
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            things[f"{module.__name__}.{name}"] = thing
    missing = []
    for path, thing in things.items():
        if inspect.isclass(thing):
            for name, function in own_members(thing):
                missing += unhinted(function, f"{path}.{name}")
        elif inspect.isfunction(thing):
            missing += unhinted(thing, path)
    assert len(things) > 20
    assert not missing, "\n".join(missing)


def wrong_in(path):
    """Return what numpydoc says is wrong in a docstring."""
    found = validate(path)
    lines = found["docstring"].splitlines()
    allowed = set()
    if path.startswith("skhmc.nn."):
        allowed = TYPED
    elif path.split(".")[-2][0].isupper():  # a method
        allowed |= {"PR01"} if not any(x.startswith("---") for x in lines) else set()
        allowed |= {"RT01"} if "".join(lines).startswith("Return") else set()
    return [
        f"{path}: {code} {text}"
        for code, text in found["errors"]
        if code in CHECKS and code not in allowed
    ]


def test_docstrings_follow_numpydoc():
    paths = documented()
    assert len(paths) > 100
    wrong = [line for path in paths for line in wrong_in(path)]
    assert not wrong, "\n".join(wrong)
