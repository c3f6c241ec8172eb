"""The list of features: each is one function, registered once, with what a reader needs to know about it.

A feature function takes the shared quantities of its class (a texture matrix, the voxel values, the shape) and returns one
number, or one number per direction, whose mean over the directions is then the feature. Table columns, documentation and
tests are loops over the registry. The order of registration is the order of the columns.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from axilla.errors import InvalidValueError

FeatureFunction: TypeAlias = Callable[[Any], Any]
_Function = TypeVar("_Function", bound=FeatureFunction)

CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
"""Feature classes, in column order."""


@dataclass(frozen=True)
class Feature:
    """One radiomic feature.

    Parameters
    ----------
    feature_class : str
        One of `CLASSES`.
    name : str
        PyRadiomics' name, e.g. ``"Idmn"``.
    function : callable
        From the shared quantities of its class to the value(s).
    unit : str
        Empty where the feature has none.
    ibsi : str
        Code in the IBSI reference manual; empty where IBSI does not define it.
    differs : str
        Where PyRadiomics (and so this implementation) and IBSI differ; empty where they agree.
    """

    feature_class: str
    name: str
    function: FeatureFunction
    unit: str = ""
    ibsi: str = ""
    differs: str = ""

    @property
    def column(self) -> str:
        """Its name in feature tables."""
        return f"original_{self.feature_class}_{self.name}"

    @property
    def definition(self) -> str:
        """The function's docstring: what it says and its formula."""
        return inspect.getdoc(self.function) or ""


_FEATURES: dict[str, Feature] = {}


def feature(
    feature_class: str, name: str, *, unit: str = "", ibsi: str = "", differs: str = ""
) -> Callable[[_Function], _Function]:
    """Register the decorated function as a feature.

    Raises
    ------
    InvalidValueError
        If the class is unknown, the name is taken, or the function has no docstring.
    """

    def register(function: _Function) -> _Function:
        entry = Feature(feature_class, name, function, unit, ibsi, differs)
        if feature_class not in CLASSES:
            raise InvalidValueError(f"A feature class is one of {CLASSES}, not {feature_class!r}.")
        if entry.column in _FEATURES:
            raise InvalidValueError(f"Feature {entry.column} is registered twice.")
        if not entry.definition:
            raise InvalidValueError(f"Feature {entry.column} needs a docstring with its formula.")
        _FEATURES[entry.column] = entry
        return function

    return register


def registered() -> tuple[Feature, ...]:
    """Every feature registered so far, by class, then in the order of registration."""
    return tuple(sorted(_FEATURES.values(), key=lambda entry: CLASSES.index(entry.feature_class)))
