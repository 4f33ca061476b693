"""Some of the mutants of `tools/fuzz_pdf.py`; the hundred thousand are a night's work (docs/soak/fuzz_pdf.md)."""

from tools import fuzz_pdf


def test_a_mutated_form_is_a_reading_or_a_parse_error():
    done = fuzz_pdf.run_range((20260401, 0, 120))
    assert [number for number, _ in done] == list(range(120))
    assert [each for each in done if each[1].startswith("FINDING")] == []
    # Were every mutant refused at the door, nothing would have been tried.
    assert sum(became == "read" for _, became in done) > 20


def test_a_mutant_follows_from_seed_and_number():
    files = fuzz_pdf.corpus()
    assert len(files.forms) > 20
    assert len(files.small) > 9
    assert fuzz_pdf.mutant(files, 5, 77) == fuzz_pdf.mutant(files, 5, 77)
    assert len({fuzz_pdf.mutant(files, 5, number) for number in range(50)}) > 45
