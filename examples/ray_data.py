"""Cut-outs in a Ray Data pipeline of your own: python ray_data.py PHOTOS OUT

Reads a folder of pictures and writes Parquet files with the columns path, status, confidence, cutout, … .
"""

import sys

import ray

import hairline


def main(photos: str, out: str) -> None:
    pictures = ray.data.read_binary_files(photos, include_paths=True)
    cut = pictures.map_batches(
        hairline.ray.Cutter,
        fn_constructor_kwargs={
            "products": ["cutout", {"thumbnail": {"product": "white_background", "canvas": [256, 256]}}]
        },
        batch_size=16,
        num_cpus=1,  # of each process, and its threads
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=4),  # reading needs a core, too
    )
    cut.drop_columns(["bytes"]).write_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
