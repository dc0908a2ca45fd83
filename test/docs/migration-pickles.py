"""Makes the pickles that the cookbook's migration is tried on, below the folder that is named; says whether it had numpy."""
import pathlib, pickle, sys

TASKS = {
    "r1/load/0": {
        "rows": [{"title": "Alien", "rating": 8.4}, {"title": "Blade Runner", "rating": None}],
        "raw": bytes(range(256)),
        "count": 2**53 - 1,
    },
    "r1/fit/drama": {"auc": 0.1 + 0.2, "note": "h\u00e9llo \U0001f3ac", "empty": {}, "is.final": True},
    "r2/load/0": {"rows": [], "low": -(2**53) + 1},
}

folder = pathlib.Path(sys.argv[1])
try:
    import numpy
    TASKS["r1/fit/drama"]["weights"] = numpy.array([0.25, 0.5])
except ImportError:
    pass
for task, values in TASKS.items():
    (folder / task).mkdir(parents=True)
    for name, value in values.items():
        (folder / task / f"{name}.pkl").write_bytes(pickle.dumps(value))
print("weights" in TASKS["r1/fit/drama"])
