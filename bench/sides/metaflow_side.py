"""One side of a comparison: a process that answers each line {"root"} with {"ms"}, and {"store"} with {}. See ../side.mjs.

Metaflow is driven by its own datastore classes, without a metadata provider: that one would write another file for each
artifact, which is no part of the datastore. What is measured is therefore Metaflow at its fastest.
"""

import base64
import json
import os
import sys
import time

# Whatever Metaflow prints must not come between the answers.
ANSWERS = sys.stdout
sys.stdout = sys.stderr

import numpy
from metaflow.datastore import FlowDataStore, TaskDataStoreSet
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


# As in measurements/task-set.mjs.
NAMES = ["summary", "history", "ids", "predictions", "vocabulary"]
IDS = 5 * 1024
PREDICTIONS_BYTES = 50 * 1024


def artifacts_of(values, noise, task):
    return {
        "summary": values["summaries"][task],
        "history": values["histories"][task],
        "ids": numpy.frombuffer(noise, "<i4", IDS, 4 * task),
        "predictions": noise[4 * task : 4 * task + PREDICTIONS_BYTES],
        "vocabulary": values["vocabulary"],
    }


def make_joined_run(root, values):
    flow = open_flow(root)
    noise = base64.b64decode(values["noise"])
    for task in range(len(values["summaries"])):
        save_task(flow, "fit", str(task), artifacts_of(values, noise, task))


def open_set(root):
    """With allow_not_done it builds no index of pathspecs, which would load one more artifact of each task."""
    flow = open_flow(root)
    return flow, TaskDataStoreSet(flow, "1", prefetch_data_artifacts=NAMES, allow_not_done=True)


def assert_equal(loaded, expected):
    assert set(loaded) == set(NAMES)
    assert loaded["ids"].dtype == expected["ids"].dtype
    assert numpy.array_equal(loaded["ids"], expected["ids"])
    assert all(loaded[name] == expected[name] for name in NAMES if name != "ids")


def open_task_set(root, values, timed):
    flow, stores = timed(lambda: open_set(root))
    count = len(values["summaries"])
    assert len(list(stores)) == count
    assert len(flow.ca_store._blob_cache._preloaded) == 4 * count + 1
    noise = base64.b64decode(values["noise"])
    store = next(store for store in stores if store.task_id == "7")
    assert_equal(dict(store.load_artifacts(NAMES)), artifacts_of(values, noise, 7))


def load_task_set(root, values, timed):
    def work():
        _, stores = open_set(root)
        return [(store.task_id, dict(store.load_artifacts(NAMES))) for store in stores]

    loaded = timed(work)
    assert len(loaded) == len(values["summaries"])
    noise = base64.b64decode(values["noise"])
    for task, artifacts in loaded:
        assert_equal(artifacts, artifacts_of(values, noise, int(task)))


# As in measurements/large-content.mjs: "values" names the file of the content.
REPEATED_TASKS = 20


def read_bytes(values):
    with open(values["file"], "rb") as file:
        return file.read()


def read_floats(values):
    return numpy.frombuffer(read_bytes(values), "<f4")


def read_text(values):
    return read_bytes(values).decode()


def save_large(root, values, timed):
    timed(lambda: save_one_task(root, {"value": values["value"]}))


def make_large(root, values):
    save_one_task(root, {"value": values["value"]})


def load_large(root, values, timed):
    def work():
        store = open_flow(root).get_task_datastore("1", "fit", "1")
        return dict(store.load_artifacts(["value"]))["value"]

    assert numpy.all(timed(work) == values["value"])


def save_repeated(root, values, timed):
    def work():
        flow = open_flow(root)
        for task in range(REPEATED_TASKS):
            save_task(flow, "fit", str(task), {"value": values["value"]})

    timed(work)


READERS = {
    "noise": read_bytes,
    "load-noise": read_bytes,
    "floats": read_floats,
    "load-floats": read_floats,
    "lines": read_text,
    "load-lines": read_text,
    "repeat": read_bytes,
}
STORES = {
    "set": make_joined_run,
    "set-load": make_joined_run,
    "load-noise": make_large,
    "load-floats": make_large,
    "load-lines": make_large,
}
MEASUREMENTS = {
    "save": save,
    "load": load,
    "tasks": tasks,
    "tasks16": tasks,
    "list": list_tasks,
    "set": open_task_set,
    "set-load": load_task_set,
    "noise": save_large,
    "load-noise": load_large,
    "floats": save_large,
    "load-floats": load_large,
    "lines": save_large,
    "load-lines": load_large,
    "repeat": save_repeated,
}


def answer(message):
    ANSWERS.write(json.dumps(message) + "\n")
    ANSWERS.flush()


def main():
    measure = MEASUREMENTS[sys.argv[1]]
    values = json.loads(sys.stdin.readline())
    if sys.argv[1] in READERS:
        values["value"] = READERS[sys.argv[1]](values)
    answer({"ready": True})
    for line in sys.stdin:
        question = json.loads(line)
        if "store" in question:
            STORES[sys.argv[1]](question["store"], values)
            answer({})
            continue
        took = []

        def timed(work):
            start = time.perf_counter()
            result = work()
            took.append((time.perf_counter() - start) * 1000)
            return result

        measure(question["root"], values, timed)
        answer({"ms": took[-1]})


main()
