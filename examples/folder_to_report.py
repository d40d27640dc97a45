"""From a folder of pictures to a report, and to what a person should look at first.

    python examples/folder_to_report.py PHOTOS OUT

Run it again after adding pictures: only what is new or changed is done.
"""

import subprocess
import sys
from collections import Counter

import pyarrow.parquet as pq

if len(sys.argv) != 3:
    sys.exit("usage: python folder_to_report.py PHOTOS OUT")
photos, out = sys.argv[1:]
hairline = [sys.executable, "-m", "hairline"]
job = ["laptop.yaml", "--input", photos, "--output", out, "--set", "products=[cutout, shop_square]"]

subprocess.run([*hairline, "plan", *job], check=True)  # what would be done, and whether it fits this machine
code = subprocess.run([*hairline, "run", *job]).returncode
if code not in (0, 3):  # 3: some pictures failed, and their rows say why
    sys.exit(code)

# --8<-- [start:table]
rows = pq.read_table(f"{out}/results").to_pylist(maps_as_pydicts="strict")
for status, number in Counter(row["status"] for row in rows).items():
    print(f"{number} {status}")
# --8<-- [end:table]

for row in rows:
    if row["status"] != "ok":
        print(f"{row['id']}: {row['status']}, {row['reason']} {row['detail']}".rstrip())

print("Look at these first, they are the least certain:")
for row in sorted((row for row in rows if row["status"] == "ok"), key=lambda row: row["confidence"])[:5]:
    print(f"  {row['confidence']:.2f}  {row['category']:15}  {row['outputs']['cutout']}")

print("The whole report:")
subprocess.run([*hairline, "report", out], check=True)
sys.exit(code)
