"""What all tests share."""

import pytest

from tests.golden_files import add_option
from tests.golden_files import golden as golden


def pytest_addoption(parser: pytest.Parser) -> None:
    add_option(parser)
