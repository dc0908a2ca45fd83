"""A flow whose tasks keep the artifacts that BENCH_TASKS tells, in JSON, by step: a list of them, one for each task of it."""

import json
import os

from metaflow import FlowSpec, step

with open(os.environ["BENCH_TASKS"]) as file:
    TASKS = json.load(file)


class Bench(FlowSpec):
    @step
    def start(self):
        self.keep("start")
        self.next(self.fit, foreach="parts")

    @step
    def fit(self):
        self.keep("fit", self.index)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.keep("join")
        self.next(self.end)

    @step
    def end(self):
        self.keep("end")

    def keep(self, name, index=0):
        for artifact, value in TASKS[name][index].items():
            setattr(self, artifact, value)


if __name__ == "__main__":
    Bench()
