# Everything runs in .venv, made when it is missing from python3.12, python3.13, python3.11 or python3 (override: PYTHON=...).
#   make demo    a sample catalog through the whole pipeline; says where the report is
#   make test    all tests (make test PYTEST="-k report -x"; WORKERS=8: as many at a time, where there are the cores)
#   make test-fast  those that need no service, Ray session, browser or S3 server: a few minutes
#   make lint    ruff, mypy, and what may import what
#   make docs    the documentation as a site: site/index.html
#   make bench   the quick benchmarks   (make bench BENCH=offline ARGS="--pictures 1000")
#   make bench-quick   the main ratios: core-seconds and limits, counts, a run beside a bare loop; under three minutes
PYTHON ?=
PYTEST ?= tests
BENCH ?=
ARGS ?=
WORKERS ?= 0
RUN = .venv/bin/

.PHONY: demo test test-fast lint docs bench bench-quick clean

demo: .venv/installed-demo
	$(RUN)hairline demo demo

test: .venv/installed-dev
	$(RUN)pytest -n $(WORKERS) --dist loadgroup $(PYTEST)

test-fast: .venv/installed-dev
	$(RUN)pytest -n $(WORKERS) --dist loadgroup -m "not heavy" $(PYTEST)

lint: .venv/installed-dev
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)lint-imports

docs: .venv/installed-dev
	$(RUN)python docs/make_site.py site

bench: .venv/installed-dev
ifdef BENCH
	$(RUN)python benchmarks/$(BENCH).py $(ARGS)
else
	for file in benchmarks/*.py; do grep -q -e --quick $$file && { $(RUN)python $$file --quick || exit 1; }; done
endif

bench-quick: .venv/installed-dev
	$(RUN)python benchmarks/limit.py --quick
	$(RUN)python benchmarks/counts.py
	$(RUN)python benchmarks/offline.py --pictures 60 --distinct 12 --rounds 1

.venv/installed-demo: pyproject.toml scripts/install
	PYTHON="$(PYTHON)" scripts/install demo,onnx
	touch $@

.venv/installed-dev: pyproject.toml scripts/install
	PYTHON="$(PYTHON)" scripts/install dev,training
	touch $@

clean:
	rm -rf .venv build dist demo site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
