"""A mailbox folder without a server, for what the ledger makes of UIDs; and mails that are dealt with without being read."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon import ledger
from daemon.imap import Incoming
from support.centres import START


@dataclass
class Folder:
    """A mailbox folder as a server keeps it: UIDs grow, and all are new when UIDVALIDITY is."""

    uidvalidity: int = 1
    mails_there: dict[int, bytes] = field(default_factory=dict)
    filed: list[tuple[bytes, str]] = field(default_factory=list)
    last: int = 0
    dates: dict[int, datetime] = field(default_factory=dict)

    def add(self, raw):
        self.last += 1
        self.mails_there[self.last] = raw

    def renumber(self):
        self.uidvalidity += 1
        kept, self.mails_there, self.last, self.dates = list(self.mails_there.values()), {}, 0, {}
        for raw in kept:
            self.add(raw)

    def arrivals(self, uids):
        return {uid: self.dates.get(uid, START) for uid in uids if uid in self.mails_there}

    def reuse(self, uid, raw):
        """Another mail under a UID that was given away before, as servers do that lost their index."""
        self.mails_there[uid], self.dates[uid] = raw, START + timedelta(seconds=1)

    def sizes(self, uids):
        return {uid: len(self.mails_there[uid]) for uid in uids if uid in self.mails_there}

    def uids(self):
        return sorted(self.mails_there)

    def mails(self, uids):
        for uid in uids:
            raw = self.mails_there[uid]
            yield Incoming(uid, self.dates.get(uid, START), len(raw), lambda raw=raw: iter((raw,)))

    def file(self, uid, folder):
        if uid in self.mails_there:
            self.filed.append((self.mails_there.pop(uid), folder))


def settle_all(centre):
    with centre.store.transaction() as tx:
        for row in ledger.unread(tx):
            ledger.settle(tx, row.id, state="read", outcome="application", folder="LRA-Processed")
