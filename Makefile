# The two commands of the README are `make demo` and `make test`; both set up everything they need.
# PYTHON names the interpreter (3.11 or newer) the environment is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= demo-out

.PHONY: demo test check bench soak scans env packages samples clean

demo: env  ## the whole life of an application, embedded, on loopback
	$(BIN)/ogis-lra demo --dir $(DEMO_DIR)

test: env packages check  ## lint, types, then the whole suite
	$(BIN)/python -P -m pytest -n 2 --cov --cov-report=term:skip-covered -rs

check: env  ## ruff and mypy, without the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: env  ## every benchmark, each as a ratio to a floor taken in the same run
	$(BIN)/python -P benchmarks/run.py

soak: env packages  ## the long runs: every hostile file with pictures, 100,000 mutated PDFs, a life killed everywhere, giants; hours
	PYTHONPATH=tests $(BIN)/python -m failure.hostile_pdf
	$(BIN)/python -m tools.fuzz_pdf --report docs/soak/fuzz_pdf.md
	$(BIN)/python -m tools.fuzz_mail --report docs/soak/fuzz_mail.md
	$(BIN)/python -m tools.measure_mail --report docs/soak/mail_bounds.md
	rm -f soak-embedded.jsonl soak-real.jsonl
	PYTHONPATH=.:tests $(BIN)/python -P -m failure.kill_all --server embedded --jobs 2 --random 500 --notes soak-embedded.jsonl
	PYTHONPATH=.:tests $(BIN)/python -P -m failure.kill_all --server dovecot-postfix --jobs 2 --random 500 --notes soak-real.jsonl
	PYTHONPATH=.:tests $(BIN)/python -P -m failure.kill_all --report docs/soak/kills.md --notes soak-embedded.jsonl soak-real.jsonl
	PYTHONPATH=.:tests $(BIN)/python -P -m failure.giants --report docs/soak/giants.md

scans: env  ## the final set of test scans, made and judged (docs/reading.md); half an hour
	bash tools/install_packages.sh libreoffice-calc fonts-ipafont fonts-ipaexfont fonts-takao fonts-vlgothic fonts-mplus \
	    fonts-noto-cjk poppler-utils tesseract-ocr-jpn tesseract-ocr-eng
	$(BIN)/python -m tools.make_scans final --out scans-out/final --forms 200 --classes 300c,200c,300g
	$(BIN)/python -m tools.score_scans scans-out/final/300c scans-out/final/200c scans-out/final/300g --jobs 2

env: $(VENV)/.made

$(VENV)/.made: requirements.lock pyproject.toml tools/make_env.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" bash tools/make_env.sh
	touch $@

packages:  ## Debian packages the tests need; installed where we may, named where we may not
	bash tools/install_packages.sh

samples: env  ## make the sample applications anew
	bash tools/install_packages.sh libreoffice-calc fonts-ipafont fonts-noto-cjk poppler-utils
	$(BIN)/python -P -m tools.make_samples

clean:
	rm -rf $(VENV) $(DEMO_DIR)
