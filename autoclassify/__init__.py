"""From a folder of labelled pictures to a classifier that the stages load: `hairline autoclassify`.

Stands on the stages, on Ray (Data for pictures, Tune for the search) and on what `cluster/` knows of sessions; it knows
neither of the two runtimes, which load what it exports as they load any weights.
"""
