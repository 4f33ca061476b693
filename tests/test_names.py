"""The four short names are ours alone: PyPI knows packages that would take two of them (HOUSE, "Folders")."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES = ("config", "parsers", "ca", "daemon")


@pytest.mark.parametrize("name", NAMES)
def test_nobody_else_here_provides_the_name(name):
    assert set(importlib.metadata.packages_distributions().get(name, [])) == {"ogis-lra"}


@pytest.mark.parametrize("name", NAMES)
def test_the_name_is_imported_from_here(name):
    found = importlib.util.find_spec(name)
    assert Path(found.origin).is_relative_to(ROOT)


def test_no_module_of_the_standard_library_is_shadowed():
    assert not set(NAMES) & set(sys.stdlib_module_names)


def test_a_stray_file_in_the_working_directory_does_not_shadow_us(tmp_path):
    """`python -P -m daemon` is how the service is started."""
    (tmp_path / "config.py").write_text("raise SystemExit('the stray file was imported')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "daemon", "--help"], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert b"usage: ogis-lra" in done.stdout


def test_the_command_is_installed_under_its_name():
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="ogis-lra")
    assert entry.value == "daemon.cli:main"
    assert callable(entry.load())
