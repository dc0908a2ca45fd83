"""The same by joblib.Memory or diskcache: python memo_side.py <joblib|diskcache> <folder>. See answer.mjs for the questions."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

STORED = 200
CALLERS = 16


def input_of(n):
    return {"n": n, "prompt": f"Judge answer {n}: is it so, and if it is, why?"}


def judge(given):
    n = given["n"]
    words = [f"reason {i}: {n * 31 + i * 17}, of {n}" for i in range(12)]
    scores = [(n * 7919 + i * 104729) % 1000003 for i in range(40)]
    verdict = "yes" if n % 3 == 0 else "no"
    return {"n": n, "verdict": verdict, "scores": scores, "words": words, "note": f"answer {n}" * 20}


def cached(kind, folder):
    if kind == "joblib":
        from joblib import Memory

        return Memory(folder, verbose=0).cache(judge)
    from diskcache import Cache

    return Cache(folder).memoize()(judge)


def main(kind, folder):
    call = cached(kind, folder)
    for n in range(STORED):
        call(input_of(n))
    state = {"next": STORED}

    def hits(count):
        us = []
        for i in range(count):
            given = input_of(i % STORED)
            began = time.perf_counter()
            value = call(given)
            us.append((time.perf_counter() - began) * 1e6)
            assert value["n"] == given["n"]
        return {"us": us}

    def at_once(count):
        given = [input_of(i % STORED) for i in range(count)]
        began = time.perf_counter()
        for _ in POOL.map(call, given):
            pass
        return {"ms": (time.perf_counter() - began) * 1e3}

    def misses(count):
        given = [input_of(state["next"] + i) for i in range(count)]
        state["next"] += count
        bare = time.perf_counter()
        for one in given:
            judge(one)
        began = time.perf_counter()
        for one in given:
            call(one)
        return {"ms": (time.perf_counter() - began - (began - bare)) * 1e3}

    questions = {"hits": hits, "atOnce": at_once, "misses": misses}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        ((question, count),) = json.loads(line).items()
        print(json.dumps(questions[question](count)), flush=True)


POOL = ThreadPoolExecutor(CALLERS)
if __name__ == "__main__":
    main(*sys.argv[1:])
