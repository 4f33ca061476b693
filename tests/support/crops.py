"""Cells drawn and scanned at test time: a crop with its print, its fill, rests of its frame, a seal, and a scanner's wear."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

DPI = 300
MM = DPI / 25.4
_ROOT = "/usr/share/fonts/opentype/"
GOTHIC, MINCHO, NOTO = (
    _ROOT + "ipafont-gothic/ipag.ttf",
    _ROOT + "ipafont-mincho/ipamp.ttf",
    _ROOT + "noto/NotoSansCJK-Regular.ttc",
)
FONTS = (GOTHIC, MINCHO, NOTO)


def drawn(text, *, font=GOTHIC, points=11.0, fill=(255, 255, 204), frame=4, seal=False):
    """The cell at test resolution with a rim of paper outside of its frame, which is `frame` pixels thick."""
    face = ImageFont.truetype(font, round(points * DPI / 72))
    left, top, right, bottom = face.getbbox(text or "x")
    wide, high, rim = max(right - left, 60) + 40, round(7 * MM), 20
    image = Image.new("RGB", (wide + 2 * rim, high + 2 * rim), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    pen.rectangle((rim, rim, rim + wide, rim + high), fill=fill)
    if frame:
        pen.rectangle((rim, rim, rim + wide, rim + high), outline=(0, 0, 0), width=frame)
    pen.text((rim + 16 - left, rim + (high - bottom + top) / 2 - top), text, font=face, fill=(0, 0, 0))
    pixels = np.asarray(image, np.float32)
    if seal:
        stamp = np.zeros(pixels.shape[:2], np.float32)
        cv2.circle(stamp, (rim + wide // 2, rim + high // 2), round(5 * MM), 1.0, round(0.8 * MM))
        cv2.line(stamp, (rim + wide // 2, 0), (rim + wide // 2, high), 1.0, round(0.6 * MM))
        pixels = pixels * (1 - stamp[:, :, None] * (1 - np.array([0.84, 0.2, 0.16], np.float32)))
    return pixels


def scanned(pixels, seed, *, slack=0, blur=0.6, noise=5.0, quality=75):
    """The inside of the drawn cell as a scanner and a JPEG give it; `slack` pixels of its frame are left."""
    chance = np.random.default_rng(seed)
    worn = cv2.GaussianBlur(pixels, (0, 0), blur)
    worn = np.clip(worn + chance.normal(0, noise, worn.shape), 0, 255).astype(np.uint8)
    worn = cv2.imdecode(cv2.imencode(".jpg", worn[:, :, ::-1], [1, quality])[1], 1)[:, :, ::-1]
    inset = 20 + 5 - slack
    return np.ascontiguousarray(worn[inset:-inset, inset:-inset])
