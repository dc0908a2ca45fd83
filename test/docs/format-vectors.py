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
        record = reader.decode_record(case["text"].encode(), "record", case["fields"]["kind"])
        record.pop("digest")
        same(record, case["fields"], case["text"])
for case in vectors("record")["refused"]:
    refused(lambda: reader.decode_record(case["text"].encode(), "record", "example"), case["name"])

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
        same(reader.read_row(None, row, False, None).hex(), case["bytes"], f"{case['name']} as JSON")
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
    content = reader.read_manifest(Packs(case["packObjects"]), bytes.fromhex(case["raw"]), manifest["key"], case["root"], case["name"])
    same(content.decode(), manifest["content"], case["name"])
    same(reader.blake3(content).hexdigest(), manifest["key"], case["name"])
for case in manifest["refused"]:
    refused(lambda: reader.read_manifest(Packs(manifest["cases"][0]["packObjects"]), bytes.fromhex(case["raw"]), manifest["key"], None, ""), case["name"])

elsewhere = vectors("elsewhere")
for case in elsewhere["ids"]:
    same(reader.blake3(b"stowage place 1\n" + case["identity"].encode()).hexdigest()[:32], case["place"], case["identity"])

# Section 16, which the reader does not need.
def leb128(count):
    return bytes([count]) if count < 128 else bytes([count % 128 | 128]) + leb128(count // 128)


def utf16(text):
    return text.encode("utf-16-be", "surrogatepass")


def key_string(text):
    try:
        data = text.encode()
        return b"s" + leb128(len(data)) + data
    except UnicodeEncodeError:
        data = text.encode("utf-16-le", "surrogatepass")
        return b"w" + leb128(len(data)) + data


def key_double(value):
    return bytes.fromhex("7ff8000000000000") if value != value else struct.pack(">d", value)


def key_members(value):
    members = b"".join(key_string(name) + key_value(value[name]) for name in sorted(value, key=utf16))
    return leb128(len(value)) + members


def key_sorted(tag, digests):
    return tag + leb128(len(digests)) + b"".join(sorted(digests))


def key_value(value):
    if value is None or isinstance(value, bool):
        return {None: b"n", True: b"t", False: b"f"}[value]
    if isinstance(value, (int, float)):
        return b"d" + key_double(float(value))
    if isinstance(value, str):
        return key_string(value)
    if isinstance(value, list):
        return b"L" + leb128(len(value)) + b"".join(map(key_value, value))
    tag = value.get("$")
    if tag is None:
        return b"O" + key_members(value)
    if tag in ("undefined", "hole"):
        return {"undefined": b"u", "hole": b"h"}[tag]
    if tag == "number":
        return b"d" + key_double(float(value["value"]))
    if tag == "utf16":
        return key_string(struct.pack(f"<{len(value['units'])}H", *value["units"]).decode("utf-16-le", "surrogatepass"))
    if tag == "bigint":
        number = int(value["value"])
        data = abs(number).to_bytes((abs(number).bit_length() + 7) // 8, "big")
        return b"i" + bytes([number < 0]) + leb128(len(data)) + data
    if tag == "Date":
        return b"D" + key_double(float(value["ms"]))
    if tag == "RegExp":
        return b"R" + key_string(value["source"]) + key_string(value["flags"]) + key_double(float(value["lastIndex"]))
    if tag == "URL":
        return b"U" + key_string(value["href"])
    if tag == "null-prototype":
        return b"N" + key_members(value["value"])
    if tag == "Map":
        return key_sorted(b"M", [key_digest(key) + key_digest(item) for key, item in value["entries"]])
    if tag == "Set":
        return key_sorted(b"S", [key_digest(member) for member in value["members"]])
    if tag == "Error":
        hidden = {name: item for name, item in value["hidden"].items() if name != "stack"}
        return b"E" + key_string(value["class"]) + key_members(hidden) + key_members(value["properties"])
    if tag == "class":
        return b"C" + key_string(value["name"]) + key_value(value["value"])
    if tag == "cache-digest":
        return b"F" + key_string(value["digest"])
    data = bytes.fromhex(value["hex"])
    letters = {"Uint8Array": b"b", "ArrayBuffer": b"A", "DataView": b"V"}
    letter = letters.get(tag) or b"T" + bytes([list(reader.WIDTHS).index(tag) + 1])
    return letter + leb128(len(data)) + data


def key_digest(value, domain=b"stowage cache value 1\n"):
    return reader.blake3(domain + key_value(value)).digest()


keys = vectors("keys")
for case in keys["values"]:
    same(key_digest(case["value"]).hex(), case["digest"], case["name"])
for case in keys["schemas"]:
    same(key_digest(case["canonical"]).hex(), case["digest"], "a schema")
for case in keys["keys"]:
    call, parts = case["call"], case["parts"]
    ignored = call.get("ignoredInputs", [])
    counted = {name: item for name, item in call["input"].items() if name not in ignored}
    same(key_digest(counted).hex(), parts["input"], "an input")
    for name in ("config", "salt"):
        if name in call:
            same(key_digest(call[name]).hex(), parts[name], name)
    same(key_digest(parts, b"stowage cache key 1\n").hex(), case["key"], "a key")

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
