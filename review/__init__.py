"""`hairline review`: people look at a run's mattes, the least certain first, and decide.

Stands on the pipeline, whose ledger it reads and whose names and storage it keeps to, and on the service's keys and
guard. What is decided is kept by `pipeline/decisions.py`, for runs must know what a person has corrected.
"""

if __name__ != "hairline.review":  # under two names every class would exist twice
    raise ImportError(
        f"this folder is the package hairline.review: write `import hairline.review`, not `import {__name__}`"
    )
