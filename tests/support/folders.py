"""A mailbox folder without a server, for what the ledger makes of UIDs; and mails that are dealt with without being read."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon import ledger
from daemon.imap import Fetched
from support.centres import START


@dataclass
class Folder:
    """A mailbox folder as a server keeps it: UIDs grow, and all are new when UIDVALIDITY is."""

    uidvalidity: int = 1
    mails: dict[int, bytes] = field(default_factory=dict)
    filed: list[tuple[bytes, str]] = field(default_factory=list)
    last: int = 0
    dates: dict[int, datetime] = field(default_factory=dict)

    def add(self, raw):
        self.last += 1
        self.mails[self.last] = raw

    def renumber(self):
        self.uidvalidity += 1
        kept, self.mails, self.last, self.dates = list(self.mails.values()), {}, 0, {}
        for raw in kept:
            self.add(raw)

    def arrivals(self, uids):
        return {uid: self.dates.get(uid, START) for uid in uids if uid in self.mails}

    def reuse(self, uid, raw):
        """Another mail under a UID that was given away before, as servers do that lost their index."""
        self.mails[uid], self.dates[uid] = raw, START + timedelta(seconds=1)

    def sizes(self, uids):
        return {uid: len(self.mails[uid]) for uid in uids if uid in self.mails}

    def uids(self):
        return sorted(self.mails)

    def fetch(self, uids):
        return [Fetched(uid, self.dates.get(uid, START), self.mails[uid]) for uid in uids]

    def file(self, uid, folder):
        if uid in self.mails:
            self.filed.append((self.mails.pop(uid), folder))


def settle_all(centre):
    with centre.store.transaction() as tx:
        for row in ledger.unread(tx):
            ledger.settle(tx, row.id, state="read", outcome="application", folder="LRA-Processed")
