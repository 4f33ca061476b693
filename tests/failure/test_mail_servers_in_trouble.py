"""The mail server restarts, loses its UIDs or is away for a day in the middle of a life: it ends as any other.

Dovecot and Postfix keep what is on their disk. The embedded
server keeps its mail in memory: its restart is another server with the same mail, other UIDs and another UIDVALIDITY.
"""

import threading

import pytest

from daemon.demo.stage import CENTRE
from support.kills import Plan, life_of

FOLDERS = ("INBOX", "LRA-Processed", "LRA-Staff")


@pytest.fixture(scope="module")
def begin(registered, zygote, kills_folder, tmp_path_factory):
    def life(server):
        plan = Plan(memory=kills_folder / "memory")
        return life_of(zygote, registered, tmp_path_factory.mktemp("life") / "centre", server, plan)

    return life


@pytest.fixture(scope="module")
def undisturbed(begin):
    with begin("embedded") as life:
        life.live()
        end, faults = life.judge()
        assert faults == []
        return end.of_the_case().unordered()


@pytest.mark.parametrize("phase", ["application", "approval", "password"])
def test_servers_that_restart_in_the_middle_of_the_work_cost_nothing(begin, undisturbed, phase):
    with begin("dovecot-postfix") as life:
        # When the service begins to work: its connections are open or about to be.
        timer = threading.Timer(0.15, life.server.stop)
        life.live(before={phase: lambda _: timer.start()}, after={phase: lambda life: _wait_for(timer, life)})
        end, faults = life.judge(uncertain=2)
        assert faults == []
        assert end.of_the_case().unordered() == undisturbed


def _wait_for(timer, life):
    timer.join()
    life.server.start()  # here, since it ends with the thread that started it
    life.pass_time("back", minutes=2)
    life.pass_time("back", minutes=16)  # a letter that met the server on its way up waits longer each time
    life.pass_time("back", minutes=30)


@pytest.mark.parametrize("phase", ["application", "approval", "password"])
def test_new_uids_in_the_middle_of_a_life_fetch_every_mail_once(begin, undisturbed, phase):
    with begin("dovecot-postfix") as life:

        def reset(life):
            for folder in FOLDERS[:2]:
                if folder == "INBOX" or life.server.messages(CENTRE, folder):
                    life.server.reset_uidvalidity(CENTRE, folder)

        life.live(before={phase: reset}, after={phase: reset})
        end, faults = life.judge()
        assert faults == []
        assert end.of_the_case().unordered() == undisturbed


@pytest.mark.parametrize("phase", ["application", "approval", "password"])
def test_an_embedded_server_that_comes_back_with_other_uids_costs_nothing(begin, undisturbed, phase):
    with begin("embedded") as life:

        def another(life):
            life.end()
            life.server.replace()

        life.live(before={phase: another})
        end, faults = life.judge()
        assert faults == []
        assert end.of_the_case().unordered() == undisturbed


@pytest.mark.parametrize("phase", ["application", "approval", "password"])
def test_a_mail_server_that_is_away_for_a_day_delays_and_loses_nothing(begin, undisturbed, phase):
    with begin("dovecot-postfix") as life:

        def away(life):
            life.server.stop()
            for hours in (0.5, 1, 22.5):
                life.pass_time("away", hours=hours)
            life.server.start()
            life.pass_time("back", minutes=2)

        life.live(before={phase: away})
        life.pass_time("later", hours=2)
        end, faults = life.judge()
        assert faults == []
        assert end.of_the_case().unordered() == undisturbed
