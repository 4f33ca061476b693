"""Train the small recogniser of Latin letters (`parsers/letters.onnx`) that cross-checks mail addresses.

    python -m tools.train_letters --minutes 9 --out parsers/letters.onnx

Needs torch, which nothing else here does, so it lives in an environment of its own (`pip install torch`). Pictures are
drawn with the fonts installed on this machine and spoilt as a scanner spoils them; strings are made up, so that the
network learns letters and no words. Seeded; threads make the last digits of the weights differ from run to run.
"""

import argparse
import random
import string
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from parsers.lines import lines_of

ALPHABET = "".join(map(chr, range(0x20, 0x7F)))
HEIGHT = 32
# Columns of the network's picture for one column of a prepared line of 48.
STRETCH = 0.75
_ROOT = Path("/usr/share/fonts")
_FONTS = sorted(
    str(path)
    for pattern in (
        "*ipa*/*.ttf",
        "*takao*/*.ttf",
        "*vlgothic*/*.ttf",
        "*noto*/NotoS*CJK-Regular.ttc",
        "*liberation*/*.ttf",
        "*dejavu*/*.ttf",
        "*mplus*/*-Regular.otf",
        "*mplus*/*-Medium.otf",
    )
    for path in _ROOT.glob("*/" + pattern)
    if not any(word in path.name for word in ("Italic", "Oblique", "Bold", "ExtraLight", "black", "heavy", "thin"))
)
_SYLLABLES = "ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he ho ma mi mu me mo ya yu yo ra ri ru re ro wa n il li ll ti it fi j lis ion ing er rn m w vv cl d".split()
_TOPS = ["co.jp", "com", "jp", "ne.jp", "or.jp", "net", "example", "ac.jp", "go.jp", "biz", "io", "info"]


class Letters(nn.Module):
    """Columns of a line → letters, by convolutions alone; what lies far away has no say, so it learns no language."""

    def __init__(self) -> None:
        super().__init__()

        def block(inputs: int, outputs: int, kernel, stride=1, padding=0):
            return [nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

        self.body = nn.Sequential(
            *block(1, 24, 3, 2, 1),
            *block(24, 40, 3, 1, 1),
            nn.MaxPool2d((2, 1)),
            *block(40, 64, 3, 1, 1),
            nn.MaxPool2d((2, 1)),
            *block(64, 96, 3, 1, 1),
            *block(96, 128, (4, 1)),
            *block(128, 128, (1, 3), 1, (0, 1)),
            *block(128, 128, (1, 3), 1, (0, 1)),
            nn.Conv2d(128, len(ALPHABET) + 1, 1),
        )

    def forward(self, lines: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(self.body(lines)[:, :, 0].permute(0, 2, 1), dim=2)


def word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 4)))


def text(rng: random.Random) -> str:
    """A string as Latin fields hold them, or mere letters."""
    kind = rng.random()
    if kind < 0.5:
        local = word(rng)
        for _ in range(rng.randint(0, 2)):
            local += rng.choice("._-+" if rng.random() < 0.8 else string.digits + "l1I0Oo")
            local += word(rng) if rng.random() < 0.7 else rng.choice(string.digits + "lijtIO")
        domain = word(rng) + (rng.choice("-1l0") + word(rng) if rng.random() < 0.4 else "")
        return f"{local}@{domain}.{rng.choice(_TOPS)}"[:36]
    if kind < 0.62:
        return "".join(
            rng.choice(string.digits) if char == "0" else char
            for char in rng.choice(
                [
                    "000-0000-0000",
                    "00-0000-0000",
                    "000-000-0000",
                    "000-0000",
                    "0000/0/00",
                    "0000-00-00",
                    "(00)0000-0000",
                ]
            )
        )
    if kind < 0.8:
        parts = [word(rng) for _ in range(rng.randint(1, 3))]
        parts = [part.upper() if rng.random() < 0.35 else part.title() for part in parts]
        return " ".join(
            parts + ([rng.choice(["Co., Ltd.", "Inc.", "K.K.", "LLC", "Corporation"])] if rng.random() < 0.4 else [])
        )[:34]
    pool = rng.choice([string.ascii_lowercase + "._-@" + string.digits, ALPHABET[1:], "l1Ii|!tj._-+0OoQ8B5S2Zrnm"])
    return "".join(rng.choice(pool) for _ in range(rng.randint(4, 22)))


def picture(rng: random.Random, words: str) -> np.ndarray | None:
    """The string drawn, spoilt, and prepared as the service prepares a cell."""
    dpi = rng.choice([200, 200, 300])
    scale = 2
    font = ImageFont.truetype(rng.choice(_FONTS), round(rng.uniform(8, 12) * dpi * scale / 72))
    left, top, right, bottom = font.getbbox(words)
    margin = 8 * scale
    image = Image.new("L", (right + 2 * margin, bottom - top + 2 * margin), 255)
    ImageDraw.Draw(image).text((margin, margin - top), words, font=font, fill=0)
    noise = np.random.default_rng(rng.getrandbits(32))
    array = np.asarray(image, np.float32)
    if rng.random() < 0.25:
        side = rng.choice([2, 3])
        array = (cv2.erode if rng.random() < 0.5 else cv2.dilate)(array, np.ones((side, side), np.uint8))
    size = (max(8, array.shape[1] // scale), max(8, array.shape[0] // scale))
    turn = np.array(
        [[1 / scale, rng.uniform(-0.004, 0.004), rng.random()], [rng.uniform(-0.004, 0.004), 1 / scale, rng.random()]]
    )
    array = cv2.warpAffine(cv2.blur(array, (2, 2)), turn, size, borderValue=255.0)
    array = cv2.GaussianBlur(array, (0, 0), rng.uniform(0.3, 1.1))
    array = array * rng.uniform(0.85, 1) + rng.uniform(0, 50) * (1 - array / 255)
    array = np.clip(array + noise.normal(0, rng.uniform(1, 11), array.shape), 0, 255).astype(np.uint8)
    array = cv2.imdecode(cv2.imencode(".jpg", array, [1, rng.randint(45, 90)])[1], 0)
    found = lines_of(array, several=False)
    return resized(found[0].image) if found else None


def resized(line: np.ndarray) -> np.ndarray:
    return cv2.resize(line, (max(8, round(line.shape[1] * STRETCH)), HEIGHT), interpolation=cv2.INTER_AREA)


def batches(seed: int, size: int):
    """Batches of pictures of about one width, so that little of them is padding."""
    rng = random.Random(seed)
    while True:
        drawn = []
        while len(drawn) < size * 8:
            words = " ".join(text(rng).split())
            shown = picture(rng, words)
            if shown is not None and shown.shape[1] // 2 > 2 * len(words) + 2 and shown.shape[1] < 520:
                drawn.append((shown, words))
        drawn.sort(key=lambda pair: pair[0].shape[1])
        groups = [drawn[start : start + size] for start in range(0, len(drawn), size)]
        rng.shuffle(groups)
        for group in groups:
            wide = max(shown.shape[1] for shown, _ in group)
            stack = np.full((len(group), 1, HEIGHT, wide), 250, np.uint8)
            for row, (shown, _) in zip(stack, group, strict=True):
                row[0, :, : shown.shape[1]] = shown
            yield torch.from_numpy(stack.astype(np.float32) / 127.5 - 1), [words for _, words in group]


class Stream(torch.utils.data.IterableDataset):
    """Batches drawn by workers of their own."""

    def __init__(self, seed: int, size: int) -> None:
        self.seed, self.size = seed, size

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        return batches(self.seed + 1000 * (worker.id if worker else 0), self.size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(2)
    cv2.setNumThreads(1)
    network = Letters()
    print(sum(weights.numel() for weights in network.parameters()), "weights,", len(_FONTS), "fonts")
    loss_of = nn.CTCLoss(zero_infinity=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    loader = iter(
        torch.utils.data.DataLoader(Stream(options.seed, 24), batch_size=None, num_workers=1, prefetch_factor=12)
    )
    start, step, shown = time.monotonic(), 0, 0.0
    while (gone := (time.monotonic() - start) / 60 / options.minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 2.5e-3 * min(1, (step + 1) / 60) * (1 - gone) ** 0.8 + 1e-5
        pictures, words = next(loader)
        logs = network(pictures).permute(1, 0, 2)
        labels = torch.tensor([ALPHABET.index(char) + 1 for line in words for char in line])
        sizes = torch.tensor([len(line) for line in words])
        loss = loss_of(logs, labels, torch.full((len(words),), len(logs)), sizes)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        shown = 0.95 * shown + 0.05 * loss.item()
        step += 1
        if step % 50 == 0:
            print(f"{step} steps, {gone:.0%}, loss {shown:.3f}", flush=True)
            export(network, options.out)
    export(network, options.out)


def export(network: Letters, out: Path) -> None:
    network.eval()
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, HEIGHT, 128),),
        str(out),
        input_names=["lines"],
        output_names=["logs"],
        dynamic_axes={"lines": {0: "n", 3: "w"}, "logs": {0: "n", 1: "t"}},
        dynamo=False,
    )
    network.train()


if __name__ == "__main__":
    main()
