"""Hostile PDFs: what strangers may send to stall, crash or take over whoever reads it. Built here, byte by byte.

`CASES` has every kind of the field notes (pdf.md 6) and many more, by name. `python -m failure.hostile_pdf` reads them
all under the limits of the service and prints what each one cost.
"""

from failure.hostile_pdf import active, bombs, cycles, fonts, lies, pictures, wrecks

CASES = {
    f"{module.__name__.rpartition('.')[2]}-{name}": build
    for module in (bombs, cycles, lies, active, fonts, pictures, wrecks)
    for name, build in module.CASES.items()
}
