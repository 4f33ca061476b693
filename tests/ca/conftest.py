from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from support import authorities


@pytest.fixture
def conn() -> Iterator[Connection]:
    """An open transaction on a fresh register."""
    engine = authorities.engine()
    with engine.begin() as connection:
        yield connection
    engine.dispose()
