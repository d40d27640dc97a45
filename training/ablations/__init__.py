"""Each idea of the design against its control: same data, same seeds, same minutes, as near as can be the same cost.

    python -m hairline.training.ablations NAME --minutes M --seeds N
    python -m hairline.training.ablations table

Every idea is a module here: its docstring says what is compared, `VARIANTS` names the competitors. A run leaves a JSON
file with its figures in runs/ablations/NAME/, from which `table` makes the tables of docs/accuracy.md.
"""
