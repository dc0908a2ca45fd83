"""One side of a comparison of data frames: a process that answers each line {"file", "names"} with {"ms", "sum"}. See ../side.mjs."""

import json
import sys
import time

import pyarrow.compute
import pyarrow.parquet


def answer(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


answer({"ready": True})
for line in sys.stdin:
    question = json.loads(line)
    start = time.perf_counter()
    table = pyarrow.parquet.read_table(question["file"], columns=question["names"])
    ms = (time.perf_counter() - start) * 1000
    total = sum(pyarrow.compute.sum(table[name]).as_py() for name in question["names"])
    answer({"ms": ms, "sum": total})
