"""The house rules that a compiler would keep elsewhere: who imports whom, who touches the world, what files look like.

Everything is read from the syntax trees of the four packages. A rule that has exceptions lists them with their reason;
an exception that is no longer needed fails too, so the lists cannot grow stale.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("config", "parsers", "ca", "daemon")
MAY_IMPORT = {
    "config": set(),
    "parsers": {"config"},
    "ca": {"config"},
    "daemon": {"config", "parsers", "ca"},
}
LONGEST = 400


class Place(NamedTuple):
    """Where something stands and what it is, as a failing test shows it."""

    module: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.what}"


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of ours by its path, parsed."""
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in files}


def modules(*prefixes: str) -> Iterator[tuple[str, ast.Module]]:
    return ((name, tree) for name, tree in trees().items() if name.startswith(prefixes))


def imports(name: str, tree: ast.Module) -> Iterator[Place]:
    """Every imported module, in full, and every name imported from one; relative imports are spelled out."""
    package = name.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Place(name, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            yield Place(name, node.lineno, whole)
            for alias in node.names:
                yield Place(name, node.lineno, f"{whole}.{alias.name}")


def dotted(node: ast.AST) -> str:
    """`datetime.now` of the expression `datetime.now`; empty for anything more than names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else f".{node.attr}"
    return ""


def mentions(name: str, tree: ast.Module) -> Iterator[Place]:
    """Every dotted name that is used, called or handed on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (what := dotted(node)):
            yield Place(name, node.lineno, what)


def calls(name: str, tree: ast.Module) -> Iterator[Place]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            what = dotted(node.func) or (f".{node.func.attr}" if isinstance(node.func, ast.Attribute) else "")
            if what:
                yield Place(name, node.lineno, what)


def report(places: list[Place]) -> str:
    return "\n" + "\n".join(map(str, places))


# --- imports go one way


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package):
    wrong = [
        place
        for name, tree in modules(f"{package}/")
        for place in imports(name, tree)
        if (top := place.what.partition(".")[0]) in PACKAGES and top != package and top not in MAY_IMPORT[package]
    ]
    assert not wrong, report(wrong)


def test_nobody_imports_tools_tests_or_benchmarks():
    wrong = [
        place
        for name, tree in modules("")
        for place in imports(name, tree)
        if place.what.partition(".")[0] in ("tools", "tests", "benchmarks", "support", "pytest", "hypothesis")
    ]
    assert not wrong, report(wrong)


def test_the_service_never_imports_its_demo():
    """The embedded mail server is an optional dependency; only the command `demo` may ask for it."""
    found = [
        place
        for name, tree in modules("daemon/")
        if not name.startswith("daemon/demo/")
        for place in imports(name, tree)
        if place.what.startswith(("daemon.demo", "pymap", "aiosmtpd"))
    ]
    assert {place.module for place in found} == {"daemon/service.py"}, report(found)


# --- purity: what parsers and ca may not do at all

# The door of a library, or of the system, by the start of its dotted name.
WORLD = (
    "asyncio",
    "http.client",
    "http.server",
    "imapclient",
    "imaplib",
    "multiprocessing",
    "requests",
    "smtplib",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "urllib.request",
)
CHANCE_AND_TIME = ("random", "secrets", "time", "uuid")

PURE_EXCEPT = {
    ("parsers/__main__.py", "socket"): "the nursery's end of the one socket to the service, inherited by number",
    ("parsers/nursery.py", "socket"): "orders and pidfds over that socket: the edge of the confined children",
    ("ca/token.py", "threading"): "a session with a token serves one thread at a time",
    (
        "ca/issue.py",
        "threading",
    ): "the right to a signature is spent once, in whatever thread; the lock is all it takes",
    ("parsers/recogniser.py", "threading"): "lines are looked at side by side, by threads that are all started at once",
}


def world_of(name: str, tree: ast.Module) -> Iterator[Place]:
    doors = (*WORLD, *CHANCE_AND_TIME)
    for place in imports(name, tree):
        for door in doors:
            if place.what == door or place.what.startswith(f"{door}."):
                yield place._replace(what=door)


def test_parsers_and_ca_have_no_door_to_the_world():
    found = {
        (place.module, place.what): place for name, tree in modules("parsers/", "ca/") for place in world_of(name, tree)
    }
    wrong = [place for key, place in found.items() if key not in PURE_EXCEPT]
    assert not wrong, report(wrong)
    assert set(PURE_EXCEPT) == set(found), "an exception is no longer needed"


SQL_IN_CA = {
    "ca/claims.py": "takes in the right to a signature, through the connection it is given",
    "ca/checker.py": "re-reads the register through the connection it is given",
    "ca/ocsp_checker.py": "re-reads the register through the connection it is given",
    "ca/crl_checker.py": "the CRLs' part of the checker",
    "ca/crl_register.py": "the CRLs' part of the register",
    "ca/register.py": "the register itself",
    "ca/revocation.py": "the register's way onto the CRL and off it",
    "ca/rows.py": "what the rows of the register look like",
    "ca/standing.py": "what OCSP tells of a serial number, read from the register",
    "ca/tables.py": "the tables of the register",
}


def test_only_the_register_of_the_ca_speaks_sql_and_no_parser_does():
    found = {
        name
        for name, tree in modules("parsers/", "ca/", "config/")
        for place in imports(name, tree)
        if place.what.startswith("sqlalchemy")
    }
    assert found == set(SQL_IN_CA)


# Reading a file, the environment or a clock: by what is called or handed on.
EDGES = (
    "os.environ",
    "os.getenv",
    "os.open",
    ".read_text",
    ".read_bytes",
    ".write_text",
    ".write_bytes",
    "open",
    "print",
    "input",
)
CLOCKS = (
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.sleep",
    "time.localtime",
    "localtime",
    "make_msgid",
    "secrets.token_bytes",
    "secrets.token_hex",
    "secrets.SystemRandom",
    "os.urandom",
    "random.random",
    "uuid.uuid4",
    "x509.random_serial_number",
)

FILES_IN_PURE_ROOMS = {
    "parsers/confinement.py": "opens folders as paths only, to grant reading them through Landlock",
    "parsers/nursery.py": "points a child's standard files at nothing",
    "parsers/__main__.py": "the confined child reads stdin and writes stdout: it is an edge",
    "ca/profiles.py": "its own package data",
}


def test_parsers_and_ca_read_no_file_no_environment_and_no_clock():
    found = [
        place
        for name, tree in modules("parsers/", "ca/")
        for place in (*calls(name, tree), *mentions(name, tree))
        if place.what in (*EDGES, *CLOCKS) or place.what.endswith(EDGES[3:7])
    ]
    wrong = [place for place in found if place.module not in FILES_IN_PURE_ROOMS]
    assert not wrong, report(wrong)
    assert {place.module for place in found} == set(FILES_IN_PURE_ROOMS), "an exception is no longer needed"


PURE_ROOMS_OF_THE_DAEMON = (
    "daemon/case.py",
    "daemon/completion_letters.py",
    "daemon/despatch.py",
    "daemon/exchange.py",
    "daemon/ocsp_room.py",
    "daemon/draft.py",
    "daemon/envelope.py",
    "daemon/form_layout.py",
    "daemon/letter_words.py",
    "daemon/letters.py",
    "daemon/line_breaking.py",
    "daemon/mail_sizes.py",
    "daemon/matching.py",
    "daemon/metrics.py",
    "daemon/planning.py",
    "daemon/register_rules.py",
    "daemon/request_parts.py",
    "daemon/return_path.py",
    "daemon/staff_letters.py",
)


@pytest.mark.parametrize("name", PURE_ROOMS_OF_THE_DAEMON)
def test_a_pure_room_of_the_daemon_decides_and_does_nothing(name):
    tree = trees()[name]
    edges = [place for place in mentions(name, tree) if place.what in (*CLOCKS, "os.environ", "open", "print")]
    doors = [
        place
        for place in imports(name, tree)
        if place.what.startswith(("daemon.store", "daemon.imap", "daemon.smtp", "daemon.schema", "daemon.blobs"))
    ]
    wrong = [*world_of(name, tree), *edges, *doors]
    assert not wrong, report(wrong)


# --- clock and randomness are arguments

# (module, name): why the world's own clock or chance may stand here as a default.
DEFAULTS = {
    ("daemon/reader.py", "time.monotonic"): "the default of Reader: deadlines of confined children",
    ("daemon/centre.py", "datetime.now"): "wall_clock, the default that everything else is handed",
    ("daemon/centre.py", "secrets.token_bytes"): "the default of open_centre",
    (
        "daemon/stopping.py",
        "time.sleep",
    ): "the wait between two tries, which a request to stop ends; open_centre's default",
    ("daemon/ceremony.py", "secrets.token_bytes"): "the default of the ceremony's functions",
    ("daemon/ca_console.py", "secrets.token_bytes"): "the default of the commands that make a key or a passphrase",
    ("daemon/responders.py", "secrets.token_bytes"): "the default of what `verify` asks the responder with",
    ("daemon/failures.py", "secrets.SystemRandom"): "the default jitter of retries",
    ("daemon/demo/server.py", "datetime.now"): "the default of the embedded mail server, which production never runs",
    ("daemon/demo/stage.py", "make_msgid"): "the people of the story write mail as people do",
    ("daemon/demo/tls.py", "x509.random_serial_number"): "a throw-away certificate for loopback",
    ("parsers/__main__.py", "datetime.now"): "the default of an edge: the day of receipt is an argument",
}
WALL_CLOCK = {
    "daemon/centre.py": "defines it and is its default place",
    "daemon/cli.py": "hands it to every command; a test hands in another",
    "daemon/demo/story.py": "the story ends today unless told otherwise",
    "daemon/keyring.py": "the default of open_service",
}


def test_no_clock_and_no_chance_but_the_listed_defaults():
    found = {
        (place.module, place.what): place
        for name, tree in modules("")
        for place in mentions(name, tree)
        if place.what in CLOCKS
    }
    wrong = [place for key, place in found.items() if key not in DEFAULTS]
    assert not wrong, report(wrong)
    assert set(found) == set(DEFAULTS), "an exception is no longer needed"


def test_the_wall_clock_is_named_at_the_edges_only():
    found = {place.module for name, tree in modules("") for place in mentions(name, tree) if place.what == "wall_clock"}
    assert found - {"daemon/centre.py"} == set(WALL_CLOCK) - {"daemon/centre.py"}


ENVIRONMENT = {"daemon/keyring.py": "systemd hands credentials over by $CREDENTIALS_DIRECTORY"}


def test_only_the_keyring_looks_at_the_environment():
    found = {
        place.module
        for name, tree in modules("")
        for place in mentions(name, tree)
        if place.what in ("os.environ", "os.getenv")
    }
    assert found == set(ENVIRONMENT)


# --- transactions and keys

TRANSACTIONS = {
    "daemon/store.py": "the one place that opens a transaction",
    "daemon/migrations/env.py": "Alembic's own, on the connection that store opened",
}
MAIL_DOORS = {"daemon/smtp.py", "daemon/account.py", "daemon/imap.py"}  # `connect` there is to a mail server


def test_only_the_store_opens_transactions():
    wrong = [
        place
        for name, tree in modules("")
        if name not in TRANSACTIONS and name not in MAIL_DOORS and not name.startswith("daemon/demo/")
        for place in calls(name, tree)
        if place.what.endswith((".begin", ".begin_nested", ".connect", ".commit", ".rollback", ".executescript"))
        or place.what.endswith(("create_engine", "sessionmaker"))
    ]
    assert not wrong, report(wrong)


KEY_TOUCHING = (
    "private_bytes",
    "load_der_private_key",
    "load_pem_private_key",
    "generate_private_key",
    "serialize_key_and_certificates",
    "load_pkcs12",
    "load_key_and_certificates",
)
KEYS = {
    "ca/signer.py": "the CA's own keys: sealed, opened, used, nowhere else",
    "ca/keys.py": "a subscriber's key is made",
    "ca/bundle.py": "a subscriber's key is put into PKCS#12",
    "daemon/demo/tls.py": "the throw-away key of the embedded server",
    "daemon/oauth.py": "the service's own key for a token server, looked at before msal signs with it",
}


def test_only_the_signer_touches_a_ca_key_and_only_the_bundle_a_subscribers():
    found = {
        place.module
        for name, tree in modules("")
        for place in calls(name, tree)
        if place.what.rpartition(".")[2] in KEY_TOUCHING
    }
    assert found == set(KEYS)


# parsers/codes.py calls the signer it is given for the code on a form; no key of the CA is near.
SIGNERS = {
    "ca/signer.py",
    "ca/token.py",
    "ca/issue.py",
    "ca/crl.py",
    "ca/bundle.py",
    "daemon/demo/tls.py",
    "parsers/codes.py",
}


def test_signing_happens_in_the_signer_or_in_a_rehearsal_with_a_throw_away_key():
    found = {
        place.module
        for name, tree in modules("")
        for place in calls(name, tree)
        if place.what.rpartition(".")[2] == "sign"
    }
    assert found <= SIGNERS, found - SIGNERS


def test_only_the_token_room_speaks_pkcs11():
    found = {
        place.module
        for name, tree in modules("")
        for place in imports(name, tree)
        if place.what.partition(".")[0] == "pkcs11"
    }
    assert found == {"ca/token.py"}


KEY_OPENERS = {
    "ca/signer.py": "defines it",
    "daemon/cabinet.py": "the keys of OCSP responders, which the service makes by itself",
    "daemon/keyring.py": "the issuing keys, at the start of the service; the root key, for its CRL and a rollover",
    "daemon/root_key.py": "the root key, to read back what goes to the safe",
}


def test_only_keyring_root_key_and_cabinet_open_a_sealed_key():
    found = {place.module for name, tree in modules("") for place in calls(name, tree) if place.what == "open_key"}
    assert found == set(KEY_OPENERS) - {"ca/signer.py"}


# --- how code looks


def test_only_the_command_line_prints():
    printing = {
        place.module
        for name, tree in modules("")
        for place in mentions(name, tree)
        if place.what in ("print", "sys.stdout.write")
    }
    # The confined child's output is its answer.
    assert printing - {"parsers/__main__.py"} == {"daemon/cli.py"}


def handlers(name: str, tree: ast.Module) -> Iterator[Place]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            for kind in kinds:
                yield Place(name, node.lineno, dotted(kind) if kind is not None else "(bare)")


def test_no_bare_except_anywhere():
    wrong = [place for name, tree in modules("") for place in handlers(name, tree) if place.what == "(bare)"]
    assert not wrong, report(wrong)


CATCHING_EVERYTHING = {
    "parsers/worker.py": "a confined child tells a fault of ours apart from a file's, by its line, and ends",
    "daemon/guard.py": "one piece of work that fails must not take the round down",
    "parsers/acroform.py": "so does pypdf over form fields of strangers",
    "parsers/document.py": "PDF libraries raise whatever they stumble over; every bit of it means a damaged document",
    "parsers/mail.py": "so does the mail library; reading a mail never raises",
}


def test_only_the_guard_and_the_two_doors_of_foreign_bytes_catch_everything():
    found = {name for name, tree in modules("") for place in handlers(name, tree) if place.what == "Exception"}
    assert found == set(CATCHING_EVERYTHING)


# BaseException is caught in order to clean up, and raised again.
CLEANING_UP = {"daemon/blobs.py", "daemon/imap.py", "daemon/intake.py", "daemon/demo/server.py", "daemon/smtp.py"}


def test_who_catches_base_exception_raises_it_again_or_hands_it_on():
    found = {name for name, tree in modules("") for place in handlers(name, tree) if place.what == "BaseException"}
    assert found <= CLEANING_UP, found - CLEANING_UP


@pytest.mark.parametrize("name", sorted(trees()))
def test_a_file_can_be_read_in_one_go(name):
    assert len((ROOT / name).read_text("utf-8").splitlines()) <= LONGEST


FORBIDDEN_WORDS = ("helper", "util", "utils", "manager", "info", "process", "misc", "common", "base")


def test_no_name_says_nothing():
    wrong = []
    for name, tree in trees().items():
        stem = Path(name).stem
        names = [stem, *(node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
        for each in names:
            words = "".join(f"_{char.lower()}" if char.isupper() else char for char in each).split("_")
            if any(
                word.removesuffix("s") in {bad.removesuffix("s") for bad in FORBIDDEN_WORDS} for word in words if word
            ):
                wrong.append(Place(name, 1, each))
    assert not wrong, report(wrong)


def test_every_public_thing_has_a_docstring():
    wrong = []
    for name, tree in modules(""):
        if "/migrations/" in name:
            continue
        if ast.get_docstring(tree) is None:
            wrong.append(Place(name, 1, "the module"))
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and ast.get_docstring(node) is None:
                wrong.append(Place(name, node.lineno, node.name))
    assert not wrong, report(wrong)


IMPORT_TIME_CALLS = (
    "open",
    "print",
    "connect",
    "read_text",
    "read_bytes",
    "write_text",
    "getLogger().info",
    "basicConfig",
)


def test_nothing_happens_at_import():
    """Tables, patterns and loggers may be made; files, connections and configuration of others may not."""
    wrong = []
    for name, tree in modules(""):
        if "/migrations/" in name:
            continue
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.If):
                continue
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in IMPORT_TIME_CALLS:
                    wrong.append(Place(name, node.lineno, dotted(node.func)))
    assert not wrong, report(wrong)


def test_nothing_is_global_and_changed():
    wrong = [
        Place(name, node.lineno, "global")
        for name, tree in modules("")
        for node in ast.walk(tree)
        if isinstance(node, ast.Global)
    ]
    assert not wrong, report(wrong)


def test_no_todo_is_left_behind():
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    wrong = [
        Place(name, number, line.strip())
        for name in trees()
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1)
        if any(f"# {mark}" in line or f"{mark}:" in line for mark in marks)
    ]
    assert not wrong, report(wrong)
