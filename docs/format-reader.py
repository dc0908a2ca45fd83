"""Reads a task's artifacts or a published version from a Stowage store in a folder, or lists runs, verifies everything, and prints JSON.

Written from docs/format.md alone (its sections are named below), to show that the page suffices.

    pip install blake3 zstandard msgpack
    python3 format-reader.py <folder> <flow>                                       the runs of a flow, newest first
    python3 format-reader.py <folder> <flow> <run>/<step>/<task>[/<attempt>] [<artifact> ...]
    python3 format-reader.py <folder> names/<name>[/<version>]                     a published version, the latest or that one

What JSON has no word for is an object with a key "$", as in docs/format-vectors/values.json; long bytes show as their digest.
"""

import base64
import datetime
import json
import math
import os
import re
import struct
import sys
import unicodedata
import urllib.parse
import urllib.request

import msgpack
import zstandard
from blake3 import blake3

MAX_SAFE = 2**53 - 1
ENVELOPE = struct.Struct("<II4sBBBBBB6sQQ8s")
KINDS = {1: "blob", 2: "manifest", 3: "chunk", 4: "group", 5: "locator"}
COPY = re.compile(r"(data|manifests)/([0-9a-f]{3})/([0-9a-f]{64})\.[0-7][0-9a-v]{25}-[0-9]{8}\.(0|[1-9][0-9]{0,14})")
DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³]|conin\$|conout\$|clock\$) *(\.|$)", re.IGNORECASE | re.ASCII)
# The classes of typed arrays in the order of their element types, from 1 on, with the widths of their elements.
WIDTHS = {"Int8Array": 1, "Uint8ClampedArray": 1, "Int16Array": 2, "Uint16Array": 2, "Int32Array": 4, "Uint32Array": 4,
          "Float32Array": 4, "Float64Array": 8, "BigInt64Array": 8, "BigUint64Array": 8, "Float16Array": 2}
OWN = re.compile(r"[0-7][0-9a-v]{25}-[0-9]{8}")
ATTEMPT_FILE = re.compile(r"(0|[1-9][0-9]{0,15})(\.attempt\.json|\.metadata\.json|\.DONE|\.DELETED|\.PURGED|\.ERASED\.[0-9]{8}\.json)")
PUBLISHED_FILE = re.compile(r"([0-9]{12})\.(json|DELETED)")
RUN_TIME = re.compile(r"at\.(0|[1-9][0-9]{0,14})")
MAX_RUN_TIME_MS = 253402300799999
HOLE = {"$": "hole"}
ERRORS = ("Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "AggregateError")


class Damaged(Exception):
    pass


# What decoders throw for bytes that are not what they must be.
MALFORMED = (LookupError, TypeError, ValueError, RecursionError, struct.error, msgpack.UnpackException)


def ensure(condition, what):
    if not condition:
        raise Damaged(what)


# Section 12: names of files

def percent(match):
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


def encode_segment(segment, names):
    unsafe = r'[<>:"|?*%~/\\\x00-\x1f\x7f-\x9f]' if names == "exact" else r'[<>:"|?*%~/\\A-Z\x00-\x1f]|[^\x00-\x7e]'
    encoded = re.sub(r"^[. ]|[. ]\Z", percent, re.sub(unsafe, percent, segment))
    return re.sub("^.", percent, encoded) if DEVICE.match(encoded) else encoded


def decode_segment(file, names):
    try:
        segment = re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), os.fsencode(file)).decode()
    except UnicodeDecodeError:
        return None
    return segment if encode_segment(segment, names) == file else None


def is_user_name(name):
    """Section 2, as far as a reader needs it: a segment that leads nowhere else."""
    return name not in ("", ".", "..") and not re.search(r"[/\\\x00-\x1f\x7f-\x9f]", name) and len(name.encode()) <= 128


class Store:
    def __init__(self, folder):
        self.folder, self.names = folder, "exact"
        record = decode_record(self.get("stowage.json"), "stowage.json", "store")
        self.names = record["names"]
        ensure(self.names in ("exact", "fold"), "stowage.json: names")

    def at(self, place):
        """This store's objects at another place (section 4), or its own without one."""
        return self if place is None else Elsewhere(self, place)

    def path(self, name):
        return os.path.join(self.folder, *(encode_segment(segment, self.names) for segment in name.split("/")))

    def get(self, name, offset=0, length=-1):
        try:
            with open(self.path(name), "rb") as file:
                file.seek(offset)
                return file.read(length)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def size(self, name):
        return os.path.getsize(self.path(name))

    def list(self, folder):
        """The names in a folder, and the lengths of those objects."""
        try:
            files = sorted(os.listdir(self.path(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        found = {}
        for file in files:
            segment = decode_segment(file, self.names) or decode_segment(unicodedata.normalize("NFC", file), self.names)
            if segment:
                found[segment] = os.path.getsize(os.path.join(self.path(folder), file))
        return found


class Elsewhere(Store):
    def __init__(self, store, place):
        ensure(re.fullmatch("[0-9a-f]{32}", place), f"{place}: no place")
        name = f"elsewhere/{place}.json"
        record = decode_record(store.get(name), name, "place", place=place)
        url = urllib.parse.urlsplit(record["uri"])
        ensure(record["names"] in ("exact", "fold"), name)
        ensure(url.scheme == "file", f"{record['uri']}: this reader reads folders only")
        store_id = decode_record(store.get("stowage.json"), "stowage.json", "store")["storeId"]
        self.folder, self.names = os.path.join(urllib.request.url2pathname(url.path), store_id, place), record["names"]
        decode_record(self.get("owner.json"), f"{record['uri']}: owner.json", "place-owner", storeId=store_id, place=place)


# Section 3: records

def decode_record(data, what, kind, **subject):
    """The record `what`, which must be of this kind, and of what the members in `subject` tell."""
    ensure(data is not None, f"{what} is missing")
    body, tail = data[:-77], data[-77:]
    ensure(tail == b',"digest":"%s"}' % blake3(body).hexdigest().encode(), f"{what}: digest")
    ensure(body.startswith(b'{"'), f"{what}: no object")
    try:
        record = json.loads(data.decode(), parse_int=number, parse_float=number, parse_constant=number,
                            object_pairs_hook=object_of)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{what}: {error}") from error
    ensure(record.get("format") == 1, f"{what}: format {record.get('format')}; a newer Stowage may have written it")
    for member, value in {"kind": kind, **subject}.items():
        ensure(member in record and record[member] == value and type(record[member]) is type(value), f"{what}: of another {member}")
    return record


def number(text):
    """A number as JavaScript has it: an integer where it is a safe one, else a float."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= MAX_SAFE else value


def object_of(pairs):
    ensure(all(key != "__proto__" for key, _ in pairs), "a key __proto__")
    return dict(pairs)


# Section 7: envelopes

def open_envelope(data, kinds, what):
    ensure(len(data) >= 48, f"{what}: shorter than a header")
    magic, skip, stwg, version, kind, codec, width, cipher, hash_, reserved, raw, stored, check = ENVELOPE.unpack(data[:48])
    ensure((magic, skip, stwg) == (0x184D2A57, 40, b"STWG"), f"{what}: no envelope")
    ensure(check == blake3(data[:40]).digest()[:8], f"{what}: checksum of the header")
    known = version == 1 and kind in KINDS and codec <= 2 and not (cipher or hash_ or any(reserved))
    ensure(known, f"{what}: not of version 1; a newer Stowage may have written it")
    ensure(raw <= 16777216 and (stored == raw if codec == 0 else stored < raw), f"{what}: lengths")
    ensure(2 <= width <= 16 if codec == 2 else width == 0, f"{what}: element width")
    ensure(KINDS[kind] in kinds, f"{what}: a {KINDS[kind]}")
    payload = data[48:]
    ensure(len(payload) == stored, f"{what}: length of the payload")
    if codec:
        payload = decompress(payload, raw, what)
    if codec == 2:
        count = raw // width
        grouped, payload = payload, bytearray(payload)
        for plane in range(width):
            payload[plane:count * width:width] = grouped[plane * count:(plane + 1) * count]
    return KINDS[kind], bytes(payload)


def decompress(frame, raw, what):
    try:
        ensure(not frame[4] & 0x08, f"{what}: zstd frame")
        header = zstandard.get_frame_parameters(frame)
        fits = header.content_size == raw and header.dict_id == 0 and header.window_size <= raw
        ensure(frame[:4] == b"\x28\xb5\x2f\xfd" and fits, f"{what}: zstd frame")
        data = zstandard.ZstdDecompressor().decompress(frame, max_output_size=raw, allow_extra_data=False)
    except (zstandard.ZstdError, IndexError) as error:
        raise Damaged(f"{what}: {error}") from error
    ensure(len(data) == raw, f"{what}: raw length")
    return data


# Sections 9 and 10: content

def load(store, key, copy=None, root=None, size=None):
    """The content `key`, from the copy that is named or any other."""
    failure = f"{key}: no copy"
    for name in [copy] * bool(copy) + list_copies(store, key):
        try:
            content = read_copy(store, name, key, root)
            ensure(content is not None and blake3(content).hexdigest() == key, f"{name}: gone, or not of its key")
            ensure(size is None or len(content) == size, f"{name}: length")
            return content
        except (Damaged, *MALFORMED) as error:
            failure = error
    raise Damaged(failure)


def list_copies(store, key):
    good, bad = [], []
    for folder in (f"data/{key[:3]}", f"manifests/{key[:3]}"):
        found = store.list(folder)
        for name, size in found.items():
            match = COPY.fullmatch(f"{folder}/{name}")
            if match and match[3] == key:
                marked = f"{name}.damaged" in found or size != int(match[4])
                (bad if marked else good).append(f"{folder}/{name}")
    return good + bad


def read_copy(store, name, key, root):
    match = COPY.fullmatch(name)
    ensure(match and match[3].startswith(match[2]) and match[3] == key, f"{name}: no copy of {key}")
    data = store.get(name)
    ensure(data is not None and len(data) == int(match[4]), f"{name}: gone, or not as long as its name says")
    kind, raw = open_envelope(data, ("blob",) if match[1] == "data" else ("manifest", "locator"), name)
    if kind == "blob":
        return raw
    if kind == "manifest":
        return read_manifest(store, raw, key, root, name)
    locator = decode_record(raw, name, "locator", key=key)
    plain_name = re.fullmatch(r"plain/[0-7][0-9a-v]{25}-[0-9]{8}/([^/]+)", locator["plain"])
    ensure(plain_name and is_user_name(plain_name[1]), f"{name}: locator")
    return store.get(locator["plain"])


def read_manifest(store, raw, key, root, what):
    fields, digest = raw[:-32], raw[-32:]
    ensure(blake3(fields).digest() == digest, f"{what}: digest")
    try:
        manifest = msgpack.unpackb(fields)  # refuses lengths beyond its input before it allocates
    except MALFORMED as error:
        raise Damaged(f"{what}: {error}") from error
    ensure(manifest["v"] == 1, f"{what}: version")
    ensure(manifest["key"].hex() == key, f"{what}: of another content")
    hasher = blake3(b"stowage manifest root 1\n" + manifest["chunker"].encode() + b"\n")
    for chunks, size, group_root, _ in manifest["groups"]:
        hasher.update(struct.pack("<QI", size, chunks) + group_root)
    ensure(hasher.digest() == manifest["root"] and root in (None, manifest["root"].hex()), f"{what}: root")
    content = bytearray()
    for chunks, size, group_root, where in manifest["groups"]:
        start = len(content)
        if isinstance(where, list):
            _, where = open_envelope(read_entry(store, manifest["packs"], *where), ("group",), what)
            ensure(blake3(where[:-32]).digest() == where[-32:], f"{what}: group digest")
            where = where[:-32]
        ensure(1 <= chunks <= 8192 and len(where) == 48 * chunks, f"{what}: columns")
        ensure(blake3(b"stowage chunk group 1\n" + where[:36 * chunks]).digest() == group_root, f"{what}: group root")
        numbers = struct.unpack(f"<{4 * chunks}I", where[32 * chunks:])
        columns = (numbers[i * chunks:(i + 1) * chunks] for i in range(4))
        for index, (length, pack, offset, stored) in enumerate(zip(*columns)):
            entry = read_entry(store, manifest["packs"], pack, offset, stored)
            _, chunk = open_envelope(entry, ("chunk",), f"{what}: chunk {index}")
            whole = len(chunk) == length <= 262144 and blake3(chunk).digest() == where[32 * index:32 * index + 32]
            ensure(whole, f"{what}: chunk {index}")
            content += chunk
        ensure(len(content) - start == size, f"{what}: bytes of a group")
    ensure(len(content) == manifest["bytes"], f"{what}: bytes")
    return bytes(content)


def read_entry(store, packs, pack, offset, length):
    ensure(pack < len(packs), "no such pack")
    name, size = packs[pack]
    ensure(re.fullmatch(r"packs/[0-7][0-9a-v]{25}/[0-9]{8}", name) and size <= 67108864, f"{name}: no pack")
    ensure(length > 48 and offset + length <= size, f"{name}: entry outside the pack")
    data = store.get(name, offset, length)
    ensure(data is not None and len(data) == length and store.size(name) == size, f"{name}: gone, or too short")
    return data


# Section 4: runs

def list_runs(store, flow):
    """The runs of a flow, newest first."""
    found = []
    for run in store.list(f"runs/{flow}"):
        files = store.list(f"runs/{flow}/{run}")
        if "created.json" not in files:
            continue
        times = [int(match[1]) for match in map(RUN_TIME.fullmatch, files) if match]
        times = [time for time in times if time <= MAX_RUN_TIME_MS]
        if len(times) == 1:
            found.append((times[0], run))
        else:
            name = f"runs/{flow}/{run}/created.json"
            record = decode_record(store.get(name), name, "run", flow=flow, run=run)
            created = datetime.datetime.fromisoformat(record["createdAt"].replace("Z", "+00:00"))
            found.append((round(created.timestamp() * 1000), run))
    return [run for _, run in sorted(found, reverse=True)]


# Section 5: attempts

def list_attempts(store, folder):
    attempts = {}
    for name in store.list(folder):
        match = ATTEMPT_FILE.fullmatch(name)
        if match and int(match[1]) <= MAX_SAFE:
            attempts.setdefault(int(match[1]), set()).add(match[2])
    return attempts


def read_task(store, flow, run, step, task, attempt=None):
    folder = f"flows/{flow}/{run}/{step}/{task}"
    attempts = list_attempts(store, folder)
    ensure(attempts, f"there is no task {folder}")
    chosen = max(attempts) if attempt is None else attempt
    ensure(chosen in attempts, f"there is no attempt {chosen}; there are {sorted(attempts)}")
    files, base = attempts[chosen], f"{folder}/{chosen}"
    ensure(".DELETED" not in files, f"attempt {chosen} was deleted")
    ensure(".DONE" in files, f"attempt {chosen} is not finished")
    subject = {"flow": flow, "run": run, "step": step, "task": task, "attempt": chosen}
    description, rows = read_description(store, folder, base, files, subject)
    return chosen, description, rows, ".PURGED" in files


def read_description(store, folder, base, files, subject):
    """What a session that is done says, and its rows; `folder` lists its files, which begin with `base`."""
    done = decode_record(store.get(f"{base}.DONE"), f"{base}.DONE", "done", **subject)
    ensure(done["outcome"] == "done", f"{base} is {done['outcome']}")
    data = store.get(f"{base}.metadata.json")
    if data is None:  # a mark may have come since
        files = files_of(store, folder, base)
        ensure(".DELETED" not in files, f"{base} was deleted")
    if erased := max((file for file in files if file.startswith(".ERASED.")), default=None):
        data = store.get(f"{base}{erased}")
    else:
        ensure(data is not None and blake3(data).hexdigest() == done["metadataDigest"], f"{base}: not what DONE names")
    session = {"session": done["session"], **subject}
    description = table = decode_record(data, f"{base}: description", "metadata", **session)
    if "table" in description:
        moved = description["table"]
        data = load(store, moved["key"], moved["copy"], moved.get("root"), moved["bytes"])
        table = decode_record(data, f"{base}: table", "artifact-table")
    for row in table["artifacts"]:
        ensure(is_user_name(row["name"]), f"{base}: an artifact of a name that nobody can give")
    return description, table["artifacts"]


def files_of(store, folder, base):
    """The suffixes of a session's files."""
    start = len(base) - len(folder) - 1
    return {name[start:] for name in store.list(folder) if f"{folder}/{name}".startswith(f"{base}.")}


def read_published(store, name, version=None):
    """A published version: its number, what is said of it, and its one row."""
    ensure(is_user_name(name), f"{name}: no name")
    numbers = {}
    for match in filter(None, map(PUBLISHED_FILE.fullmatch, store.list(f"names/{name}"))):
        numbers.setdefault(999999999999 - int(match[1]), set()).add(match[2])
    kept = [number for number, files in numbers.items() if "json" in files and "DELETED" not in files]
    chosen = max(kept, default=None) if version is None else version
    ensure(chosen in kept, f"{name}: there is no such version; there are {sorted(kept)}")
    record_name = f"names/{name}/{999999999999 - chosen:012}.json"
    session = decode_record(store.get(record_name), record_name, "published-version", name=name, version=chosen)["session"]
    ensure(re.fullmatch("[0-7][0-9a-v]{25}", session), f"{record_name}: names no session")
    base = f"loose/{session}"
    files = files_of(store, "loose", base)
    ensure(".DELETED" not in files, f"version {chosen} of {name} was given up")
    description, rows = read_description(store, "loose", base, files, {"loose": True, "session": session})
    ensure(rows, f"the value of version {chosen} of {name} was erased")
    return chosen, description, rows[0]


def read_row(store, row, purged, values):
    """The bytes of an artifact, verified. `values` begins the names of the attempt's own objects."""
    if "json" in row:
        value = row["json"]
        data = value.encode() if row["encoding"] == "string" else msgpack.packb(value)
    elif "base64" in row:
        data = base64.b64decode(row["base64"], validate=True)
    elif "own" in row:
        ensure(not purged, f"the content of {row['name']} was given up")
        own = row["own"]
        ensure(OWN.fullmatch(own["object"]), f"{row['name']}: names no object of values")
        at, name = store.at(own.get("place")), values + own["object"]
        try:
            envelope = at.get(name, own["offset"], own["storedBytes"])
            ensure(envelope is not None, f"{name}: gone")
            _, data = open_envelope(envelope, ("blob",), name)
            ensure(blake3(data).hexdigest() == row["key"] and len(data) == row["bytes"], f"{name}: not of its key")
            return data
        except (Damaged, *MALFORMED):  # a repair writes a copy
            return load(at, row["key"], size=row["bytes"])
    else:
        ensure(not purged, f"the content of {row['name']} was given up")
        return load(store.at(row.get("place")), row["key"], row["copy"], row.get("root"), row["bytes"])
    ensure(blake3(data).hexdigest() == row["key"] and len(data) == row["bytes"], f"{row['name']}: key")
    return data


# Section 11: values

def show(row, data):
    encoding = row["encoding"]
    if encoding == "string":
        return data.decode()
    if encoding == "msgpack":
        return decode_value(data)
    ensure(encoding in ("bytes", "typed-array"), f"unknown encoding {encoding}")
    return memory(row["type"], data)


def memory(name, data):
    ensure(name in ("Uint8Array", "ArrayBuffer", "DataView") or len(data) % WIDTHS[name] == 0, f"{name}: a part of an element")
    return {"$": name, **({"hex": data.hex()} if len(data) <= 1024 else {"bytes": len(data), "blake3": blake3(data).hexdigest()})}


def decode_value(data):
    try:
        value = msgpack.unpackb(data, ext_hook=extension, strict_map_key=False, object_pairs_hook=entries)
    except MALFORMED as error:
        raise Damaged(f"msgpack: {error}") from error
    return plain(value)


def entries(pairs):
    keys = [key for key, _ in pairs]
    are_texts = [isinstance(key, str) or (isinstance(key, dict) and key["$"] == "utf16") for key in keys]
    ensure(all(are_texts) and "__proto__" not in keys, "a key that is no string")
    values = [plain(value) for _, value in pairs]
    if all(isinstance(key, str) for key in keys):
        return dict(zip(keys, values))
    return {"$": "object", "entries": [list(pair) for pair in zip(keys, values)]}


def plain(value, in_array=False):
    """What msgpack leaves as it is: bytes, numbers, and what is inside arrays."""
    ensure(in_array or value is not HOLE, "a hole outside an array")
    if isinstance(value, bytes):
        return memory("Uint8Array", value)
    if isinstance(value, list):
        return [plain(item, True) for item in value]
    if isinstance(value, int):
        ensure(abs(value) <= MAX_SAFE, "an integer beyond 2^53 - 1")
    if isinstance(value, float) and (not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0)):
        text = "NaN" if math.isnan(value) else "-0" if value == 0 else "Infinity" if value > 0 else "-Infinity"
        return {"$": "number", "value": text}
    ensure(value is None or isinstance(value, (int, float, str, dict)), "a timestamp")
    return value


def items(payload, count=None):
    """The items of an array in a payload, which are no elements of an array of the user's."""
    values = decode_value(payload)
    ensure(isinstance(values, list) and count in (None, len(values)) and HOLE not in values, "a payload of another form")
    return values


def extension(code, payload):
    if code in (1, 2):
        ensure(payload == b"", "undefined, or a hole")
        return {"$": "undefined"} if code == 1 else HOLE
    if code == 3:
        (ms,) = struct.unpack(">d", payload)
        ensure(math.isnan(ms) or (ms.is_integer() and abs(ms) <= 8.64e15), "a date out of range")
        return {"$": "Date", "ms": "NaN" if math.isnan(ms) else int(ms)}
    if code == 4:
        sign, magnitude = payload[0], payload[1:]
        ensure(len(magnitude) <= 1048576 and (magnitude[0] and sign <= 1 if magnitude else sign == 0), "a bigint in another form")
        value = int.from_bytes(magnitude, "big")
        return {"$": "bigint", "value": str(-value if sign else value)}
    if code == 5:
        return dict(zip(("$", "source", "flags", "lastIndex"), ("RegExp", *items(payload, 3))))
    if code == 6:
        return {"$": "URL", "href": payload.decode()}
    if code == 7:
        flat = items(payload)
        ensure(len(flat) % 2 == 0, "a Map with a key that has no value")
        return {"$": "Map", "entries": [list(pair) for pair in zip(flat[::2], flat[1::2])]}
    if code == 8:
        return {"$": "Set", "members": items(payload)}
    if code == 9:
        name, hidden, properties = items(payload, 3)
        ensure(name in ERRORS, "an error of an unknown class")
        return {"$": "Error", "class": name, "hidden": hidden, "properties": properties}
    if code == 10:
        ensure(1 <= payload[0] <= len(WIDTHS), "an unknown element type")
        return memory(list(WIDTHS)[payload[0] - 1], payload[1:])
    if code in (11, 12):
        return memory("ArrayBuffer" if code == 11 else "DataView", payload)
    if code == 13:
        return {"$": "utf16", "units": list(struct.unpack(f"<{len(payload) // 2}H", payload))}
    if code == 14:
        return {"$": "null-prototype", "value": decode_value(payload)}
    if code == 15:
        return dict(zip(("$", "name", "value"), ("class", *items(payload, 2))))
    if code == 16:
        kind, members = items(payload, 2)
        known = kind == "directory" or kind in ("file", "frame") and ("content" in members) != ("uri" in members)
        ensure(known, "a reference of another form")
        return {"$": "reference", "kind": kind, "members": members}
    raise Damaged(f"an unknown extension {code}")


def main(folder, flow, pathspec=None, *names):
    store = Store(folder)
    if flow.startswith("names/"):
        _, name, *version = flow.split("/")
        chosen, description, row = read_published(store, name, *map(int, version))
        told = {**description["metadata"]["published"], "source": description["readFrom"][0]}
        print(json.dumps({"version": chosen, **told, "value": show(row, read_row(store, row, False, ""))}))
        return
    if pathspec is None:
        print(json.dumps(list_runs(store, flow)))
        return
    run, step, task, *attempt = pathspec.split("/")
    chosen, description, rows, purged = read_task(store, flow, run, step, task, *map(int, attempt))
    unknown = set(names) - {row["name"] for row in rows}
    ensure(not unknown, f"there is no artifact {', '.join(sorted(unknown))}")
    values = f"values/{flow}/{run}/{step}/{task}/{chosen}."
    wanted = [row for row in rows if not names or row["name"] in names]
    artifacts = {row["name"]: show(row, read_row(store, row, purged, values)) for row in wanted}
    print(json.dumps({"attempt": chosen, "metadata": description["metadata"], "artifacts": artifacts}))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Damaged as error:
        sys.exit(f"{error}")
    except MALFORMED as error:
        sys.exit(f"damaged: {error!r}")
