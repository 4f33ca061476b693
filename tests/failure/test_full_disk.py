"""The disk is full at any write: nothing is lost, nothing is sent twice, the log says why, and room is all it takes.

The data folder lies on a small tmpfs of which only so much is left free; each amount makes another write the one that
fails. A limit on the size of files (setrlimit(2)) is the other way, which needs no privilege.
"""

import os
import resource
import shutil
import subprocess

import pytest

from support.kills import Plan, life_of

PHASES = ("application", "approval", "password")


@pytest.fixture(scope="module")
def undisturbed(registered, zygote, kills_folder, tmp_path_factory):
    plan = Plan(memory=kills_folder / "memory")
    with life_of(zygote, registered, tmp_path_factory.mktemp("life") / "centre", "embedded", plan) as life:
        life.live()
        end, faults = life.judge()
        assert faults == []
        return end.unordered()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, which only root may make."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("no file system can be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(life, free):
    """Leave so many octets free."""
    disk = os.statvfs(life.folder)
    with (life.folder / "ballast").open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, disk.f_bavail * disk.f_frsize - free)


def make_room(life):
    (life.folder / "ballast").unlink()
    life.pass_time("room again", minutes=6)
    life.pass_time("room again", minutes=10)


@pytest.mark.parametrize(
    ("phase", "rests"),
    [("application", (0, 64, 200, 400)), ("approval", (8, 160, 240, 320)), ("password", (0, 12, 32))],
)
def test_a_full_disk_delays_and_loses_nothing(registered, zygote, kills_folder, undisturbed, small_disk, phase, rests):
    """With so many kB left when the phase begins; the least of them do not do for it, which the log must tell. What the
    password's mail writes finds room in pages that are there already."""
    told = []
    for free in rests:
        plan = Plan(memory=kills_folder / "memory")
        folder = small_disk / f"centre-{free}"
        with life_of(zygote, registered, folder, "embedded", plan) as life:
            life.live(before={phase: lambda life, free=free: fill(life, free * 1024)}, after={phase: make_room})
            end, faults = life.judge(uncertain=1)  # a serial number may have been reserved and not used
            assert faults == []
            assert life.repeated == 0
            assert end.of_the_case().unordered() == undisturbed
            told.append("disk_full" in (life.folder / "service.log").read_text())
        shutil.rmtree(folder)
    assert any(told) or phase == "password"


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("room", [0, 40_000, 120_000])
def test_files_that_may_not_grow_delay_and_lose_nothing(
    registered, zygote, kills_folder, undisturbed, tmp_path, phase, room
):
    def limit(life):
        log = (life.folder / "demo.sqlite-wal").stat().st_size
        life.running.limit_files(log + room)

    def lift(life):
        life.running.limit_files(resource.RLIM_INFINITY)
        life.pass_time("room again", minutes=6)
        life.pass_time("room again", minutes=10)

    with life_of(zygote, registered, tmp_path / "centre", "embedded", Plan(memory=kills_folder / "memory")) as life:
        life.live(before={phase: limit}, after={phase: lift})
        end, faults = life.judge(uncertain=1)
        assert faults == []
        assert life.repeated == 0
        assert end.of_the_case().unordered() == undisturbed
