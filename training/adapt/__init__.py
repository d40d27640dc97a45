"""`hairline adapt`: weights of the coarse and the fine network that fit one catalog, learned from a teacher's masks.

Sampled (`sampling.py`), labelled (`teaching.py`), learned (`samples.py`, `learning.py`), judged on a part kept apart
(`judging.py`) and shown (`page.py`); `steps.py` goes from one to the next and `work.py` remembers how far it got.
"""
