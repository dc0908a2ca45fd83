"""What the stowage command prints, by Metaflow's client: metaflow_client.py runs | tasks | show <path>"""

import sys

from metaflow import Flow, Run, Step, namespace


def status(finished):
    if finished.successful:
        return "done"
    return "failed" if finished.finished else "open"


def took(finished):
    return (finished.finished_at - finished.created_at).total_seconds()


def list_runs(path):
    for run in Flow(path):
        print(f"{run.id:20} {status(run):8} {run.created_at} {took(run):8.1f} s")


def list_tasks(path):
    for task in Step(path):
        sizes = [artifact.size for artifact in task]
        print(f"{task.id:8} {status(task):8} {task.created_at} {took(task):8.1f} s {len(sizes):4} {sum(sizes):10} B")


def show_run(path):
    run = Run(path)
    print(f"{run.pathspec}\n{status(run)}, created {run.created_at}, took {took(run):.1f} s\n")
    for step in run:
        print(step.id)
        for task in step:
            print(f"  {task.id:8} {status(task):8} {took(task):8.1f} s")
            for artifact in task:
                print(f"    {artifact.id:20} {artifact.size:10} B")


COMMANDS = {"runs": list_runs, "tasks": list_tasks, "show": show_run}

namespace(None)
if len(sys.argv) > 1:
    COMMANDS[sys.argv[1]](sys.argv[2])
