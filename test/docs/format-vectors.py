"""Checks docs/format-reader.py against docs/format-vectors: `python3 format-vectors.py <docs>`; prints how many it checked."""

import importlib.util
import json
import os
import struct
import sys

docs = sys.argv[1]
spec = importlib.util.spec_from_file_location("reader", os.path.join(docs, "format-reader.py"))
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)
checked = 0


def vectors(name):
    with open(os.path.join(docs, "format-vectors", f"{name}.json"), encoding="utf8") as file:
        return json.load(file)


def same(actual, expected, what):
    global checked
    checked += 1
    assert actual == expected, f"{what}: {actual!r} is not {expected!r}"


def refused(work, what):
    global checked
    checked += 1
    try:
        value = work()
    except reader.Damaged:
        return
    raise AssertionError(f"{what} was read: {value!r}")


for case in vectors("record")["cases"]:
    if "format" in case["fields"]:
        record = reader.decode_record(case["text"].encode(), "record")
        record.pop("digest")
        same(record, case["fields"], case["text"])
for case in vectors("record")["refused"]:
    refused(lambda: reader.decode_record(case["text"].encode(), "record"), case["name"])

for case in vectors("envelope")["cases"]:
    kind = case["kind"]
    _, raw = reader.open_envelope(bytes.fromhex(case["envelope"]), (kind,), case["name"])
    same(raw.hex(), case["raw"], case["name"])
for case in vectors("envelope")["refused"]:
    refused(lambda: reader.open_envelope(bytes.fromhex(case["envelope"]), tuple(reader.KINDS.values()), ""), case["name"])

for case in vectors("values")["cases"]:
    same(reader.show(case, bytes.fromhex(case["bytes"])), case["value"], case["name"])
    same(reader.blake3(bytes.fromhex(case["bytes"])).hexdigest(), case["key"], case["name"])
    if case["json"]:
        row = {**case, "bytes": len(case["bytes"]) // 2, "json": json.loads(json.dumps(case["value"]), parse_float=reader.number, parse_int=reader.number)}
        same(reader.read_row(None, row, False).hex(), case["bytes"], f"{case['name']} as JSON")
for case in vectors("values")["longer"]:
    same(reader.decode_value(bytes.fromhex(case["bytes"])), case["value"], case["bytes"])
for case in vectors("values")["refused"]:
    refused(lambda: reader.decode_value(bytes.fromhex(case["bytes"])), case["name"])

names = vectors("names")
for case in names["segments"]:
    for encoding in ("exact", "fold"):
        same(reader.encode_segment(case["segment"], encoding), case[encoding], case["segment"])
        same(reader.decode_segment(case[encoding], encoding), case["segment"], case[encoding])
for case in names["noFiles"]:
    same(reader.decode_segment(case["file"], case["encoding"]), None, case["file"])
for case in names["objects"]["copies"]:
    same(bool(reader.COPY.fullmatch(case["name"])), True, case["name"])
same(sorted(names["order"]), names["order"], "order")


class Packs(reader.Store):
    """A store of the objects of one vector."""

    def __init__(self, objects):
        self.objects = {name: bytes.fromhex(text) for name, text in objects.items()}

    def get(self, name, offset=0, length=None):
        return self.objects[name][offset:][:length]

    def size(self, name):
        return len(self.objects[name])


manifest = vectors("manifest")
for case in manifest["cases"]:
    content = reader.read_manifest(Packs(case["packObjects"]), bytes.fromhex(case["raw"]), case["root"], case["name"])
    same(content.decode(), manifest["content"], case["name"])
    same(reader.blake3(content).hexdigest(), manifest["key"], case["name"])
for case in manifest["refused"]:
    refused(lambda: reader.read_manifest(Packs(manifest["cases"][0]["packObjects"]), bytes.fromhex(case["raw"]), None, ""), case["name"])

elsewhere = vectors("elsewhere")
for case in elsewhere["ids"]:
    same(reader.blake3(b"stowage place 1\n" + case["identity"].encode()).hexdigest()[:32], case["place"], case["identity"])

# Section 8, which the reader does not need.
chunker = vectors("chunker")
table = reader.blake3(b"stowage gear table 1").digest(length=1024)
GEAR = struct.unpack("<256I", table)
same([f"{word:08x}" for word in GEAR[:4]], chunker["gear"]["first"], "gear")
same([f"{word:08x}" for word in GEAR[-4:]], chunker["gear"]["last"], "gear")
same(reader.blake3(table).hexdigest(), chunker["gearDigest"], "gear")


def xorshift32(state):
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state


def chunk_length(content, start):
    left = len(content) - start
    value = 0
    for i in range(16384, min(left, 262144)):
        value = (value * 2 + GEAR[content[start + i]]) & 0xFFFFFFFF
        if value & (0xFFFF8000 if i < 65536 else 0xFFFE0000) == 0:
            return i + 1
    return min(left, 262144)


for case in chunker["cases"]:
    if case["generator"] == "random":
        words = xorshift32(case["seed"])
        content = b"".join(struct.pack("<I", next(words)) for _ in range(case["bytes"] // 4))
        same(reader.blake3(content).hexdigest(), case["contentDigest"], "content")
        lengths = []
        while sum(lengths) < len(content):
            lengths.append(chunk_length(content, sum(lengths)))
        same(lengths, case["lengths"], f"random {case['seed']}, {case['bytes']}")

print(checked)
