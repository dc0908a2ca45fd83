"""metaflow_runs.py <count>: fills the store of the environment with runs of metaflow_flow.py, by the ids 1, 2, ...

The flow really runs once, which takes several seconds. The other runs are copies: each has every file that a run of its own would
have, under its own id.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FLOW = Path(__file__).with_name("metaflow_flow.py")


def run_once(flow_folder):
    subprocess.run([sys.executable, FLOW, "--quiet", "run"], check=True, stdout=sys.stderr)
    return (flow_folder / "latest_run").read_text()


def copy_run(original, run_id):
    copy = original.with_name(run_id)
    shutil.copytree(original, copy)
    for file in copy.rglob("*.json"):
        file.write_text(file.read_text().replace(original.name, run_id))


def main():
    flow_folder = Path(os.environ["METAFLOW_DATASTORE_SYSROOT_LOCAL"], ".metaflow", "Bench")
    original = flow_folder / run_once(flow_folder)
    for number in range(1, int(sys.argv[1]) + 1):
        copy_run(original, str(number))
    shutil.rmtree(original)


main()
