"""One side of a comparison: a process that answers each line {"root"} with {"ms"}. See ../side.mjs.

Metaflow is driven by its own datastore classes, without a metadata provider: that one would write another file for each
artifact, which is no part of the datastore. What is measured is therefore Metaflow at its fastest.
"""

import json
import os
import platform
import sys
import time

# Whatever Metaflow prints must not come between the answers.
ANSWERS = sys.stdout
sys.stdout = sys.stderr

from importlib.metadata import version

from metaflow.datastore import FlowDataStore
from metaflow.plugins.datastores.local_storage import LocalStorage


def open_flow(root):
    os.makedirs(root, exist_ok=True)
    return FlowDataStore(
        "Bench",
        environment=None,
        metadata=None,
        event_logger=None,
        monitor=None,
        storage_impl=LocalStorage,
        ds_root=root,
    )


def save_task(flow, step, task, artifacts):
    store = flow.get_task_datastore("1", step, task, attempt=0, mode="w")
    store.init_task()
    store.save_artifacts(artifacts.items(), len_hint=len(artifacts))
    store.done()


def save_one_task(root, artifacts):
    save_task(open_flow(root), "fit", "1", artifacts)


def save_tasks(root, tasks):
    flow = open_flow(root)
    for index, artifacts in enumerate(tasks):
        save_task(flow, "map", str(index), artifacts)


def save(root, values, timed):
    timed(lambda: save_one_task(root, values))


def load(root, values, timed):
    save_one_task(root, values)

    def work():
        store = open_flow(root).get_task_datastore("1", "fit", "1")
        return dict(store.load_artifacts(list(store._objects)))

    assert timed(work) == values


def tasks(root, values, timed):
    timed(lambda: save_tasks(root, values))


def list_tasks(root, values, timed):
    save_tasks(root, values)
    stores = timed(lambda: open_flow(root).get_task_datastores(run_id="1"))
    assert len(stores) == len(values)
    assert all(len(store._objects) == len(values[0]) for store in stores)


MEASUREMENTS = {"save": save, "load": load, "tasks": tasks, "tasks16": tasks, "list": list_tasks}


def answer(message):
    ANSWERS.write(json.dumps(message) + "\n")
    ANSWERS.flush()


def main():
    measure = MEASUREMENTS[sys.argv[1]]
    values = json.loads(sys.stdin.readline())
    answer({"ready": True, "versions": {"metaflow": version("metaflow"), "python": platform.python_version()}})
    for line in sys.stdin:
        took = []

        def timed(work):
            start = time.perf_counter()
            result = work()
            took.append((time.perf_counter() - start) * 1000)
            return result

        measure(json.loads(line)["root"], values, timed)
        answer({"ms": took[-1]})


main()
