"""Rules about files that are not code: the lock, the documents, what may never be written down anywhere.

Forbidden texts are put together here at run time, so that this file does not hold them itself. Lint and types are not
tests: `make check` runs them.
"""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
TEXT = {".py", ".toml", ".txt", ".md", ".sh", ".json", ".mako", ".lock", ".yml", ".yaml", ".cfg", ".in", ".service", ""}


@cache
def texts() -> dict[str, str]:
    """Every text file that git knows or would take, by its path."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    found = {}
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.suffix in TEXT and path.is_file() and not path.is_symlink():
            found[name] = path.read_bytes().decode("utf-8", "surrogateescape")
    return found


def where(pattern: str, *, among=None) -> list[str]:
    wanted = re.compile(pattern)
    return [
        f"{name}:{content[: match.start()].count(chr(10)) + 1}: {match.group()}"
        for name, content in texts().items()
        if among is None or among(name)
        for match in wanted.finditer(content)
    ]


def test_no_host_of_a_package_index_is_named():
    names = [
        "py" + "pi.org",
        "python" + "hosted.org",
        "py" + "pi.python",
        "dev" + "pi.",
        "arti" + "factory",
        "nexus" + "/repository",
    ]
    assert where("|".join(map(re.escape, names))) == []
    options = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "--trusted" + "-host"]
    assert where("|".join(map(re.escape, options))) == []


def test_no_path_of_somebodys_machine_is_written_down():
    homes = ["/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/wo" + "rk/"]
    assert where(rf"(?<![\w.]){'|'.join(map(re.escape, homes))}") == []


def test_mail_addresses_are_invented_or_the_services_own():
    """Everything in `example` (RFC 2606); the guide's own two addresses are public."""
    domains = {
        match.group(1).lower()
        for content in texts().values()
        for match in re.finditer(r"[A-Za-z0-9._+-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})\b", content)
    }
    known = {"ecubenet.com"}
    wrong = {
        domain
        for domain in domains
        if not domain.endswith(
            (
                ".example",
                "example.com",
                "example.net",
                "example.org",
                "example.jp",
                "example.co.jp",
                ".invalid",
                ".test",
            )
        )
    }
    assert wrong <= known, wrong - known


def requirements() -> list[tuple[str, list[str]]]:
    """Every requirement of the lock with its hashes."""
    lines = LOCK.read_text("utf-8").replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            wish, *options = re.split(r"\s+(?=--)", line.strip())
            name = wish.partition(";")[0].strip()  # behind it stands for which machines
            found.append((name, options))
    return found


def test_the_lock_names_versions_and_hashes_and_no_address():
    assert len(requirements()) > 30
    for name, options in requirements():
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*(?:\[[a-z0-9,]+\])?==[0-9][\w.+!-]*", name), name
        assert options, f"{name} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options), name
    assert "://" not in LOCK.read_text("utf-8")


def test_the_lock_holds_everything_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    optional = project["project"]["optional-dependencies"].values()
    asked = [
        *project["project"]["dependencies"],
        *project["build-system"]["requires"],
        *(each for group in optional for each in group),
    ]
    locked = {name.partition("==")[0].partition("[")[0] for name, _ in requirements()}
    for wish in asked:
        name = re.match(r"[A-Za-z0-9._-]+", wish).group().lower().replace("_", "-").replace(".", "-")
        assert name in locked, wish


def test_what_is_private_says_so():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CHANGELOG.md",
        "Makefile",
        ".ci/run",
        "docs/flow.md",
        "docs/guarantees.md",
        "docs/glossary.md",
        "docs/operations.md",
        "docs/operations-ja.md",
        "docs/letters.md",
    ],
)
def test_the_document_is_there_and_says_something(name):
    assert len((ROOT / name).read_text("utf-8").split()) > 20


def test_decisions_are_written_down_with_number_and_reason():
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").iterdir())
    assert names
    assert [name[:4] for name in names] == [f"{number:04d}" for number in range(1, len(names) + 1)]
    for name in names:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name), name


@cache
def defined_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_guarantee_names_tests_that_exist():
    content = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    named = re.findall(r"(tests/[\w/.-]+\.py)::(\w+)", content)
    assert len(named) > 10
    for name, test in named:
        assert (ROOT / name).is_file(), f"{name} does not exist"
        assert test in defined_in(ROOT / name), f"{name} has no {test}"


def test_every_row_of_the_guarantees_names_a_test():
    rows = [line for line in (ROOT / "docs" / "guarantees.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| promise") and not set(row) <= set("|- ")]
    assert promises
    assert not [row for row in promises if "tests/" not in row]


def test_links_between_documents_lead_somewhere():
    broken = []
    for name, content in texts().items():
        if not name.endswith(".md"):
            continue
        for target in re.findall(r"\]\(([^)#\s]+)", content):
            if "://" not in target and not (ROOT / name).parent.joinpath(target).exists():
                broken.append(f"{name}: {target}")
    assert broken == []


def test_files_named_in_the_documents_exist():
    """A path in backticks that begins with a folder of ours is a promise to the reader."""
    missing = []
    for name in ("README.md", "docs/flow.md", "docs/glossary.md", "docs/letters.md"):
        for path in re.findall(
            r"`((?:config|parsers|ca|daemon|tests|tools|docs|benchmarks|systemd)/[\w./-]+\w)`", texts()[name]
        ):
            if not (ROOT / path).exists():
                missing.append(f"{name}: {path}")
    assert missing == []


def test_every_script_can_be_started():
    for name in (".ci/run", "tools/install_packages.sh", "tools/make_env.sh"):
        path = ROOT / name
        assert path.read_text("utf-8").startswith("#!/usr/bin/env bash\n"), name
        assert "set -euo pipefail" in path.read_text("utf-8"), name
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


def test_every_command_and_exit_code_of_the_command_line_is_in_a_manual():
    manual = texts()["docs/operations.md"] + texts()["README.md"]
    for verb in ("demo", "init", "check", "run", "read", "queue", "show", "log", "certs", "crl", "verify"):
        assert re.search(rf"\b{verb}\b", manual), verb
