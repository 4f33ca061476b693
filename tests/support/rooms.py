"""A centre of bare rooms: database, vault, blobs, audit, a fake transport and a clock; no mail server, no CA key.

For the promises of one room. What is left out is not there at all, so that a test that needs it fails.
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from config.settings import build
from daemon import schema
from daemon.audit import Audit
from daemon.blobs import Blobs
from daemon.centre import office_of
from daemon.demo.stage import APPROVERS, CENTRE, Clock
from daemon.stopping import Stop
from daemon.store import Store
from daemon.vault import Vault
from support.centres import START


class Drawn:
    """Randomness that is different every time and the same in every run."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(size, "big")


@dataclass
class Post:
    """A transport that notes what it is handed, and raises what it is told to, one error a call; None accepts."""

    errors: list[BaseException | None] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    envelopes: list[tuple[str, str]] = field(default_factory=list)
    tries: int = 0

    def send(self, message: bytes, *, sender: str, recipient: str, envid: str = "") -> None:
        self.tries += 1
        self.envelopes.append((sender, envid))
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.sent.append((recipient, message))

    def __enter__(self) -> "Post":  # noqa: PYI034 - a fake for one test
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


def bare_centre(folder: Path, clock: Clock | None = None, **policy: Any) -> Any:
    """The rooms of a centre in a folder; `post` is its transport."""
    settings = build(
        {
            "data_dir": "centre",
            "centre": {"address": CENTRE},
            "mailbox": {"host": "127.0.0.1", "username": CENTRE},
            "smtp": {"host": "127.0.0.1"},
            "authentication": {"authserv_id": "mx.lra.example"},
            "approvers": [{"address": address, "name": name} for address, name in APPROVERS.items()],
            "policy": policy,
        },
        base=folder,
    )
    store = Store(f"sqlite:///{folder / 'rooms.sqlite'}")
    schema.metadata.create_all(store.engine)
    post = Post()
    return SimpleNamespace(
        settings=settings,
        store=store,
        vault=Vault(folder / "vault", Drawn()),
        blobs=Blobs(folder / "blobs", Drawn()),
        audit=Audit(b"k" * 32),
        office=office_of(settings),
        token_key=b"t" * 32,
        clock=clock or Clock(START),
        random_bytes=Drawn(),
        sleep=lambda _: None,
        accepted={},
        unfinished={},
        stop=Stop(),
        post=post,
        open_transport=lambda: post,
    )
