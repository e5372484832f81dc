"""What tests of the course's rooms share."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from tinyml_helpers.course import plots


@pytest.fixture(autouse=True)
def the_house_style_ends_with_the_test():
    """Figures of other tests in the same process look as they did."""
    with mpl.rc_context():
        yield


@pytest.fixture
def figures():
    """Drawn in the house's style, and closed after the test."""
    plots.use_house_style()
    yield
    plt.close("all")
