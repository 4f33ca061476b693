"""What a centre gives its confined children beyond what the program ships: its own forms, and the key to check codes.

A child has no folder and no credential; it is told texts and a public key in one frame, once its walls stand. Nothing
in it is secret: the forms hang on a web site, and the key is the public half. Trusts the service, which has read the
same texts before; sizes are bounded all the same, so that a folder of something else stops the service, not a child.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from config import forms
from config.forms import Library
from parsers.frames import Frame, FrameError

EQUIP, EQUIPPED = "equip", "equipped"

_MOST_FORMS, _LONGEST_TEXT, _LONGEST_NAME = 50, 100_000, 200
_KEY_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Equipment:
    """`texts` are form definitions by file name (config/forms), `code_key` is the public half of the key that signs
    codes, empty where the centre has none. ValueError says what is too much or no key."""

    texts: tuple[tuple[str, str], ...] = ()
    code_key: bytes = b""

    def __post_init__(self) -> None:
        if len(self.texts) > _MOST_FORMS:
            raise ValueError(f"{len(self.texts)} form files, more than {_MOST_FORMS}")
        for name, text in self.texts:
            if len(name) > _LONGEST_NAME or len(text) > _LONGEST_TEXT:
                raise ValueError(f"{name[:_LONGEST_NAME]}: too long for a form file")
        if len(self.code_key) not in (0, _KEY_OCTETS):
            raise ValueError(f"a public key of other than {_KEY_OCTETS} octets")

    def __bool__(self) -> bool:
        """Whether there is anything to tell a child."""
        return bool(self.texts or self.code_key)

    def library(self) -> Library:
        """The shipped forms and the centre's. ValueError names the file and the key that is wrong."""
        return forms.shipped().with_texts(dict(self.texts))

    def frame(self) -> Frame:
        """For a child; `equipment_in` is its inverse."""
        return Frame(EQUIP, {"texts": dict(self.texts), "code_key": self.code_key.hex()})


def equipment_in(frame: Frame) -> Equipment:
    """The equipment that a frame tells. Raises FrameError."""
    texts, key = frame.body.get("texts"), frame.body.get("code_key")
    if frame.body.keys() != {"texts", "code_key"} or not isinstance(texts, Mapping) or not isinstance(key, str):
        raise FrameError("equipment without its parts")
    if not all(isinstance(text, str) for text in texts.values()):
        raise FrameError("a form that is no text")
    try:
        return Equipment(tuple(texts.items()), bytes.fromhex(key))
    except ValueError:
        raise FrameError("equipment out of bounds") from None
