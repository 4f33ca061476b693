"""`release` and `drop`: the operator's hands on what is held, a mail by its number or a case by its own (SPEC 5)."""

import argparse
import functools
from collections.abc import Callable

from config.settings import load

from . import cases, held_cases, mail_console
from .case import CaseKind
from .cases import Case
from .console import Answer, UsageError
from .held_cases import NotHeld
from .keyring import open_service

_OPERATOR = "operator"


def release(arguments: argparse.Namespace) -> Answer:
    """A held mail is read again; a held case is looked at anew and decided anew."""
    if arguments.id.isdecimal():
        arguments.id = int(arguments.id)
        return mail_console.release(arguments)
    return _with_case(arguments, held_cases.release, _released)


def drop(arguments: argparse.Namespace) -> Answer:
    """A held case ends, and who applied is told."""
    if not arguments.reason.strip():
        raise UsageError("--reason says nothing; it stands in the letter, or is looked up among the words of 却下")

    work = functools.partial(held_cases.drop, reason_word=arguments.reason)
    return _with_case(arguments, work, lambda case: f"{case.number} is dropped")


def _with_case(arguments: argparse.Namespace, work: Callable[..., Case], words: Callable[[Case], str]) -> Answer:
    centre = open_service(load(arguments.config), clock=arguments.clock)
    try:
        with centre.store.transaction() as tx:
            case = cases.find(tx, arguments.id)
            if case is None:
                raise UsageError(f"there is no case {arguments.id}; `ogis-lra queue` lists those that wait")
            try:
                case = work(tx, centre, case, actor=_OPERATOR, now=centre.clock())
            except NotHeld as error:
                document = {"case": case.number, "state": case.state, "refused": str(error)}
                return Answer(f"refused: {error}", document, in_order=False)
        return Answer(words(case), {"case": case.number, "state": case.state})
    finally:
        centre.close()


def _released(case: Case) -> str:
    if case.kind is CaseKind.RENEWAL:
        return f"{case.number} gives way to a fresh renewal, which the running service opens in its next round"
    return f"{case.number} is looked at anew: it is {case.state}; the running service sends the letters"
