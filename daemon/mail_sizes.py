"""How large a mail is, in words."""


def octets(size: int) -> str:
    """A size for people, in the unit that leaves one to three digits before the point (SI: 1 kB = 1000 B)."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
