"""'From Keras to rnnlab': the overrides beside the Keras lines are the experiment, to the last key."""

import pytest

from tests.readme.text import README, right_cells
from tests.test_configuration import composed


@pytest.mark.parametrize(
    ("heading", "experiment", "lines"),
    [
        ("The review classifier, line by line", "keras_simple_rnn", 8),
        ("The next-word model", "keras_simple_rnn_lm", 7),
    ],
)
@pytest.mark.smoke
def test_line_by_line_it_is_the_experiment(heading: str, experiment: str, lines: int) -> None:
    assert f"experiment={experiment}`" in README
    cells = right_cells(heading)
    assert len(cells) == lines
    words = [word for cell in cells for word in cell.split()]
    assert composed(*words) == composed(f"experiment={experiment}")
