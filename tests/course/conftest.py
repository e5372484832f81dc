"""What tests of the course's rooms share."""

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def the_house_style_ends_with_the_test():
    """Figures of other tests in the same process look as they did."""
    with mpl.rc_context():
        yield
