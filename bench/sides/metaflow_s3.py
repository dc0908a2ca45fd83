"""Metaflow's side of the counted works of ../wire/works.mjs: answers each line {"work": id} with {} once it is done.

Driven as in metaflow_side.py, by Metaflow's own datastore classes and without a metadata provider, over its S3 storage. What it asks of
S3 is counted by whoever stands between it and the server.
"""

import json
import os
import sys

# Whatever Metaflow prints must not come between the answers.
ANSWERS = sys.stdout
sys.stdout = sys.stderr

from metaflow.datastore import FlowDataStore
from metaflow.plugins.datastores.s3_storage import S3Storage

TASKS = 100
MIB = 1024 * 1024
HUGE_BYTES = 100_000_000


def open_flow():
    return FlowDataStore(
        "Bench",
        environment=None,
        metadata=None,
        event_logger=None,
        monitor=None,
        storage_impl=S3Storage,
        ds_root=sys.argv[1],
    )


def save(task, artifacts):
    store = FLOW.get_task_datastore("1", "map", task, attempt=0, mode="w")
    store.init_task()
    store.save_artifacts(artifacts.items(), len_hint=len(artifacts))
    store.done()


def load(task):
    store = open_flow().get_task_datastore("1", "map", task)
    return dict(store.load_artifacts(list(store._objects)))


def noise(count, seed):
    """Bytes that gzip cannot shrink; which ones does not matter here."""
    import random

    return random.Random(seed).randbytes(count)


def named(values):
    return {f"artifact_{index}": value for index, value in enumerate(values)}


def write_the_others():
    for task in range(2, TASKS):
        save(str(task), SMALL)


def list_tasks():
    assert len(open_flow().get_task_datastores(run_id="1")) == TASKS


def load_huge():
    assert load("huge") == HUGE


SMALL = json.loads(sys.stdin.readline())
MEDIUM = named([noise(20 * 1024, seed) for seed in range(20)])
LARGE = {"large": noise(32 * MIB, 20)}
HUGE = {"huge": noise(HUGE_BYTES, 21)}
FLOW = open_flow()
WORKS = {
    "write, first": lambda: save("0", SMALL),
    "write": lambda: save("1", SMALL),
    "write the others": write_the_others,
    "read, first": lambda: load("0"),
    "read": lambda: load("1"),
    "list": list_tasks,
    "20 new": lambda: save("new", MEDIUM),
    "20 known": lambda: save("known", MEDIUM),
    "20 elsewhere": lambda: save("elsewhere", MEDIUM),
    "large new": lambda: save("large", LARGE),
    "large known": lambda: save("large-known", LARGE),
    "large elsewhere": lambda: save("large-elsewhere", LARGE),
    "huge up": lambda: save("huge", HUGE),
    "huge down": load_huge,
}


def answer(message):
    ANSWERS.write(json.dumps(message) + "\n")
    ANSWERS.flush()


answer({"ready": True})
for line in sys.stdin:
    WORKS[json.loads(line)["work"]]()
    answer({})
