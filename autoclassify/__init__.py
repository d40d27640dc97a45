"""From a folder of labelled pictures to a classifier that the stages load: `hairline autoclassify`.

Stands on the stages, on Ray (Data for pictures, Tune for the search) and on what `cluster/` knows of sessions; it knows
neither of the two runtimes, which load what it exports as they load any weights.
"""

if __name__ != "hairline.autoclassify":  # under two names every class would exist twice
    raise ImportError(
        "this folder is the package hairline.autoclassify: write `import hairline.autoclassify`, "
        f"not `import {__name__}`"
    )
