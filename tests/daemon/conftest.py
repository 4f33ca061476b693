"""A centre with some life behind it, and the command line over a copy of it."""

import pytest

from support.command_lines import CommandLine, Finished


@pytest.fixture(scope="session")
def finished(centres, tmp_path_factory):
    """Played once; tests get copies."""
    return Finished.play(centres, tmp_path_factory.mktemp("finished") / "centre")


@pytest.fixture
def copied(finished, tmp_path):
    """The folder of a copy that the test may spoil."""
    folder = tmp_path / "copy"
    finished.copy(folder)
    return folder


@pytest.fixture
def lra(finished, copied, capsys):
    """The command line over the copy, at the moment the life ended."""
    return CommandLine(copied / "ogis-lra.toml", finished.clock, capsys)
