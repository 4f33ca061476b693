"""A token for tests: SoftHSM, a real PKCS#11 module, with its objects in a folder of the test run."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ca.token import Token

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN = "test-pin-8642"


def module() -> str:
    """Where Debian's softhsm2 has its library (tools/install_packages.sh)."""
    return next(path for path in MODULES if Path(path).exists())


@dataclass(frozen=True)
class SoftHsm:
    """The folder of the tokens. SoftHSM reads its configuration once in a process, so there is one for all tests."""

    folder: Path

    @classmethod
    def start(cls, folder: Path) -> "SoftHsm":
        tokens = folder / "tokens"
        tokens.mkdir(parents=True)
        conf = folder / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(conf)
        return cls(folder)

    def new_token(self, label: str) -> Token:
        """A fresh token of that label."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-" + PIN]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return self.token(label)

    def token(self, label: str, pin: str = PIN) -> Token:
        return Token(module(), label, pin)

    def pull_out(self) -> None:
        """Every token is gone, as when the device is unplugged."""
        (self.folder / "tokens").rename(self.folder / "pulled")

    def plug_in(self) -> None:
        (self.folder / "pulled").rename(self.folder / "tokens")
