"""One synthetic chest for all tests of the anatomy."""

import pytest

from axilla.anatomy import find_anatomy
from axilla.phantom import CasePlan, PhantomSettings, render_case

SETTINGS = PhantomSettings(shape_zyx=(84, 176, 264), spacing_xyz_mm=(1.7, 1.7, 2.0))
SEED = 5


@pytest.fixture(scope="session")
def case():
    return render_case(CasePlan(SETTINGS, (), seed=SEED))


@pytest.fixture(scope="session")
def anatomy(case):
    return find_anatomy(case.volume)
