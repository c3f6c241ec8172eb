"""Kernels where no compiled code can be kept."""

from numba import njit

from axilla.kernels import _compile


def test_a_kernel_compiles_anew_where_nothing_can_be_kept(monkeypatch):
    asked = []

    def njit_without_a_cache_folder(cache=False, **options):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(_compile, "njit", njit_without_a_cache_folder)
    twice = _compile.kernel(lambda x: 2 * x)
    assert twice(21) == 42
    assert asked == [True, False]
