"""A life of a case whose service is a process of its own and is killed with SIGKILL (`support.killed_service`).

The test keeps the mail server and plays the people; the service runs its real loop and dies where it was told. It is
started again on what is on disk and on the mail server, works first at the very same moment and then past every
lease, and the life goes on. `end_of` and `faults_of` then say whether anything is missing, or was done twice.
"""

import atexit
import contextlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import imapclient

from daemon.demo.server import MailServer
from daemon.demo.stage import APPROVERS, AUTHSERV_ID, CENTRE, PASSWORD, Clock, Stage
from daemon.demo.story import AOZORA
from support.centres import PEOPLE, START, Centres, form
from support.killed_service import CLOCK, Wanted
from support.real_servers import RealMailServer
from support.repetitions import unexplained
from support.stops import End, abandoned_of, count_letters, end_of, faults_of, message_id_of, repeated_of

TESTS = Path(__file__).parents[1]
PATIENCE = 120.0
"""Seconds of real time in which a service must say something; it says something every few milliseconds."""

PHASES = ("start", "application", "approval", "password")


class Zygote:
    """The process that services are forked from."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "support.killed_service", str(theirs.fileno())],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{TESTS}:{TESTS.parent}", "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )

    def start(self, wanted: Wanted) -> "Running":
        commands, ours = os.pipe()
        reports, theirs = os.pipe()
        try:
            socket.send_fds(self._control, [json.dumps(asdict(wanted)).encode()], [commands, theirs])
        finally:
            os.close(commands)
            os.close(theirs)
        answer = self._control.recv(4096)
        if not answer:
            raise AssertionError("the process that services are forked from has ended")
        return Running(json.loads(answer)["pid"], ours, reports)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.wait(30)


class Dead(Exception):
    """The service was killed."""


class Running:
    """One service process, seen from the test."""

    def __init__(self, pid: int, commands: int, reports: int) -> None:
        self._pid = pid
        self._handle: int | None = None
        with contextlib.suppress(ProcessLookupError):  # it may have killed itself already
            self._handle = os.pidfd_open(pid)
        self._commands, self._reports, self._rest = commands, reports, b""
        self.places: list[str] = []
        self.killed_at = ""
        self.killed_from_outside = False

    def go(self, phase: str) -> None:
        """Let it work until nothing is left to do. Raises Dead."""
        self._tell(f"go {phase}\n")
        self.await_quiet(phase)

    def await_quiet(self, phase: str) -> None:
        self._hear(f"quiet {phase}")

    def stop(self) -> None:
        self._tell("stop\n")
        self._hear("stopped")

    def kill(self) -> None:
        """From outside, at any moment."""
        self.killed_from_outside = True
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def memory(self, *, most: bool = False) -> int:
        """Resident octets now, or the most since the start (proc(5))."""
        name = "VmHWM:" if most else "VmRSS:"
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))

    def cpu(self) -> float:
        """Seconds of processor time that the process has spent, without its children (proc(5))."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def limit_files(self, octets: int) -> None:
        """No file of the process may grow beyond so many octets (setrlimit(2)); Python ignores the signal for it."""
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))

    def close(self) -> None:
        for descriptor in (self._commands, self._reports, *([] if self._handle is None else [self._handle])):
            os.close(descriptor)

    def _tell(self, words: str) -> None:
        try:
            os.write(self._commands, words.encode())
        except BrokenPipeError:
            self._hear("")
            raise Dead from None

    def _hear(self, expected: str) -> None:
        while True:
            while b"\n" not in self._rest:
                if not select.select([self._reports], [], [], PATIENCE)[0]:
                    raise AssertionError(f"the service says nothing; expected was {expected!r}")
                got = os.read(self._reports, 1 << 16)
                if not got:
                    raise Dead
                self._rest += got
            line, _, self._rest = self._rest.partition(b"\n")
            words = line.decode()
            if words == expected:
                return
            verb, _, rest = words.partition(" ")
            if verb == "at":
                self.places.append(rest)
            elif verb == "killed":
                self.killed_at = rest
            else:
                raise AssertionError(f"the service said {words!r}, expected was {expected!r}")


class Embedded:
    """The embedded mail server as the world of one life."""

    name = "embedded"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._callbacks: list[Callable[[Any], None]] = []
        self._server = self._started()

    def _started(self) -> MailServer:
        server = MailServer(authserv_id=AUTHSERV_ID, clock=self._clock)
        server.start()
        for address in (CENTRE, *APPROVERS, *PEOPLE):
            server.add_mailbox(address, PASSWORD)
        return server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def on_delivery(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)
        self._server.on_delivery(callback)

    def replace(self) -> None:
        """Another server with the centre's mail: other ports, other UIDs, another UIDVALIDITY. The service is to be
        stopped meanwhile."""
        former, self._server = self._server, self._started()
        for callback in self._callbacks:
            self._server.on_delivery(callback)
        with imapclient.IMAPClient(self._server.host, self._server.imap_port, ssl=False) as client:
            client.login(CENTRE, PASSWORD)
            for folder in ("LRA-Processed", "LRA-Staff"):
                client.create_folder(folder)
        for folder in ("INBOX", "LRA-Processed", "LRA-Staff"):
            for content in former.messages(CENTRE, folder):
                self._server.append(CENTRE, content, folder)
        former.stop()

    def settle(self) -> None:
        """Its 250 means that the mail lies in the mailbox."""

    def close(self) -> None:
        self._server.stop()


def _time_of_life() -> Any:
    return Real._clock()


class Real:
    """Dovecot and Postfix as the world of one life; they are started once, and each life begins with empty mailboxes."""

    name = "dovecot-postfix"
    _running: RealMailServer | None = None
    _clock: Clock

    def __init__(self, clock: Clock) -> None:
        Real._clock = clock
        if Real._running is None:
            started = RealMailServer(authserv_id=AUTHSERV_ID, clock=_time_of_life)
            started.start()
            Real._running = started
            atexit.register(close_worlds)
        self._server = Real._running
        for address in (CENTRE, *APPROVERS, *PEOPLE):
            self._server.add_mailbox(address, PASSWORD)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def close(self) -> None:
        self._server.wipe()


def close_worlds() -> None:
    """End the servers that were started for all lives of this process."""
    if Real._running is not None:
        Real._running.close()
        Real._running = None


WORLDS: dict[str, Callable[[Clock], Any]] = {each.name: each for each in (Embedded, Real)}


@dataclass
class Plan:
    """Where and when the service is to die: at a place of a phase, or so many seconds into one.

    A moment of the phase `again after PHASE` is one of the recovery from the kill in that phase.
    """

    kills: dict[str, str] = field(default_factory=dict)
    moments: dict[str, tuple[float, ...]] = field(default_factory=dict)
    counting: bool = False
    memory: Path | None = None
    jumps: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By phase: from which reading of the clock on it is how many seconds wrong, within the service alone."""


Deed = Callable[["KilledLife"], None]
_NOTHING: Mapping[str, Deed] = MappingProxyType({})


def _rest(_life: "KilledLife") -> None:
    """Nothing happens."""


class KilledLife:
    """A reissue from the applicant's mail to the closed case, as `support.stops.Life`, with a service that is killed."""

    def __init__(
        self, zygote: Zygote, registered: Centres, folder: Path, server: Any, clock: Clock, plan: Plan
    ) -> None:
        clock.move(START + timedelta(days=1))
        shutil.copytree(registered.template, folder)
        self.zygote, self.centres, self.folder, self.server, self.clock, self.plan = (
            zygote,
            registered,
            folder,
            server,
            clock,
            plan,
        )
        self.former_letters = count_letters(folder)
        self.kills: list[str] = []
        self.places: list[str] = []
        self.spent: dict[str, float] = {}
        self.delivered: list[Any] = []
        self.spans: list[tuple[int, int]] = []
        self.before_approval = 0
        self.repeated = self.abandoned = 0
        self.sent = 0
        server.on_delivery(self._note)
        self.stage = Stage(folder, server, None, clock, lambda _: None)
        server.on_delivery(self.stage.deliveries.append)
        self._time, self._log = folder / "clock", folder / "service.log"
        self.wrong = 0.0
        self._tick()
        self._arms = dict(plan.kills)
        self._moments = {phase: list(moments) for phase, moments in plan.moments.items()}
        self.running: Running | None = None

    def _note(self, delivery: Any) -> None:
        if delivery.mailbox == CENTRE:
            self.sent += 1
        else:
            self.delivered.append(delivery)

    def pass_time(self, phase: str, **by: float) -> None:
        """Time passes, and the service works."""
        self._tick(**by)
        self.work(phase)

    def set_wrong(self, seconds: float) -> None:
        """From now on the service's clock is so much ahead of the true one."""
        self.wrong = seconds
        self._tick()

    def _tick(self, **by: float) -> None:
        self.clock.move(self.clock.time + timedelta(**by))
        self._time.write_bytes(CLOCK.pack(self.clock.time.timestamp() + self.wrong))

    # --- the service -------------------------------------------------------------------------------------------------

    def _start(self, phase: str) -> None:
        wanted = Wanted(
            folder=str(self.folder),
            server={
                "host": self.server.host,
                "imap_port": self.server.imap_port,
                "submission_port": self.server.submission_port,
                "authserv_id": AUTHSERV_ID,
                "ca_file": str(self.server.ca_file),
            },
            clock=str(self._time),
            log=str(self._log),
            kills=self._arms,
            counting=self.plan.counting,
            memory=str(self.plan.memory) if self.plan.memory else None,
            jumps=self.plan.jumps,
            phase=phase,
        )
        self.running = self.zygote.start(wanted)

    def work(self, phase: str, *, moments: str = "") -> None:
        """Let the service work until nothing is left to do now, whatever kills it meanwhile.

        It recovers at the very same moment and then past every lease; but what a kill in the phase `approval` left to
        wait for a lease waits until `later`, so that the letter of the password is due in its own phase, as ever.
        """
        self.server.settle()
        began = time.monotonic()
        try:
            with self._at_moment(moments or phase):
                if self.running is None:
                    self._start(phase)
                    self.running.await_quiet(phase)
                else:
                    self.running.go(phase)
            self.spent[phase] = time.monotonic() - began
            self.server.settle()
        except Dead:
            self._buried(phase)
            noticed, number = len(self.delivered), len(self.kills) - 1
            self.spans.append((noticed, noticed))
            self.work("again", moments=f"again after {phase}")
            self.spans[number] = (noticed, len(self.delivered))
            if phase != "approval":
                self._tick(minutes=16)
                self.work("past leases")

    def _buried(self, phase: str) -> None:
        assert self.running is not None
        place = self.running.killed_at
        if not place and not self.running.killed_from_outside:
            raise AssertionError(f"the service ended by itself: {self._log.read_text(errors='replace')[-2000:]}")
        self.kills.append(place or f"{phase}: from outside")
        self._arms.pop(place.partition(": ")[0], None)
        self.running.close()
        self.running = None

    @contextlib.contextmanager
    def _at_moment(self, phase: str) -> Iterator[None]:
        moments = self._moments.get(phase)
        if not moments:
            yield
            return
        after = moments.pop(0)
        timer = threading.Timer(after, lambda: self.running.kill() if self.running else None)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    # --- the life ----------------------------------------------------------------------------------------------------

    def live(self, *, before: Mapping[str, Deed] = _NOTHING, after: Mapping[str, Deed] = _NOTHING) -> None:
        """The whole life. What is to happen `before` a phase happens when the people have acted and the service has
        not; what is to happen `after` it, when the service has come to rest."""
        people: dict[str, Callable[[], None]] = {
            "start": lambda: None,
            "application": self.apply,
            "approval": self._approve,
            "password": lambda: self._tick(minutes=11),
        }
        for phase, act in people.items():
            act()
            self.server.settle()
            if phase == "approval":
                self.before_approval = len(self.kills)
            before.get(phase, _rest)(self)
            self.work(phase)
            after.get(phase, _rest)(self)
        for _ in range(3):  # past the leases that the last kills left behind, and past the wait of a password
            self.pass_time("later", minutes=30)

    def apply(self) -> None:
        """The applicant sends the form."""
        self.stage.send(AOZORA, "再発行申請", "PCを入れ替えました。", pdf=_form(self.stage))

    def _approve(self) -> None:
        first = next(iter(APPROVERS))
        self.stage.decide(first, self.stage.requests()[first], "承認")

    def end(self) -> None:
        """Stop the service in the ordinary way."""
        assert self.running is not None
        with contextlib.suppress(Dead):
            self.running.stop()
        self.places = self.running.places
        self.running.close()
        self.running = None

    def judge(self, *, uncertain: int = 0) -> tuple[End, list[str]]:
        """What is left, and everything that is not as it must be. A kill, and whatever else makes the fate of a letter
        `uncertain`, may each have cost one repetition."""
        self.end()
        self.stage.centre = self.centres.reopen(self.folder, self.server, self.clock).centre
        try:
            self.abandoned, self.repeated = abandoned_of(self), repeated_of(self)
            kills = len(self.kills)
            faults = faults_of(
                self,
                twice=range(kills + uncertain + 1),
                abandoned=range(kills - self.before_approval + uncertain + 1),
            )
            if not uncertain:
                alone = unexplained([message_id_of(each.content) for each in self.delivered], self.spans)
                faults += [f"a letter was repeated for no kill: {each}" for each in alone]
            return end_of(self), faults
        finally:
            self.stage.centre.close()

    def close(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running.close()


@contextlib.contextmanager
def life_of(
    zygote: Zygote, registered: Centres, folder: Path, server: str, plan: Plan | None = None
) -> Iterator[KilledLife]:
    """A life that is about to begin, over a mail server of that name."""
    clock = Clock(START)
    with contextlib.closing(WORLDS[server](clock)) as world:
        life = KilledLife(zygote, registered, folder, world, clock, plan or Plan())
        with contextlib.closing(life):
            yield life


_FORMS: dict[Any, bytes] = {}


def _form(stage: Stage) -> bytes:
    day = stage.clock.time
    if day not in _FORMS:
        _FORMS[day] = form(stage, "reissue_hanako")
    return _FORMS[day]
