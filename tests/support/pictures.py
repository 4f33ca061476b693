"""Pictures that hold no form: what people photograph by mistake."""

import io

import numpy as np
from PIL import Image, ImageFilter


def photo_pdf() -> bytes:
    """A blurred photograph on an A4 page, without a letter and without a line."""
    blotches = np.random.default_rng(3).integers(60, 220, (12, 9, 3), dtype=np.uint8)
    picture = Image.fromarray(blotches).resize((827, 1169), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(4)).save(out, "PDF", resolution=100, quality=60)
    return out.getvalue()
