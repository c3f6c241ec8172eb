"""How kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compile a function when it is first called, to run without the interpreter's lock.

    The machine code is kept beside the source, or in the user's cache folder where that cannot be written. Where neither can (a
    read-only container), each process compiles anew.
    """
    try:
        compiled = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: no place to keep it
        compiled = njit(nogil=True)(function)
    return cast("_Function", compiled)
