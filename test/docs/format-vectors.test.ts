import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import chunkerVectors from '../../docs/format-vectors/chunker.json' with { type: 'json' };
import envelopeVectors from '../../docs/format-vectors/envelope.json' with { type: 'json' };
import keyVectors from '../../docs/format-vectors/keys.json' with { type: 'json' };
import manifestVectors from '../../docs/format-vectors/manifest.json' with { type: 'json' };
import nameVectors from '../../docs/format-vectors/names.json' with { type: 'json' };
import recordVectors from '../../docs/format-vectors/record.json' with { type: 'json' };
import valueVectors from '../../docs/format-vectors/values.json' with { type: 'json' };
import { toInline } from '../../src/attempts/inline-value.ts';
import { type CacheKeyParts, cacheKey } from '../../src/cache/cache-key.ts';
import { canonicalSchema } from '../../src/cache/interface-digest.ts';
import { valueDigest } from '../../src/cache/key-encoding.ts';
import { keyOfParts } from '../../src/cache/key-parts.ts';
import { CHUNKER_ID, nextCut } from '../../src/codec/chunker.ts';
import { type EnvelopeKind, openEnvelope, sealEnvelope } from '../../src/codec/envelope.ts';
import { GEAR } from '../../src/codec/gear-table.ts';
import type { Compression } from '../../src/codec/payload.ts';
import { prepareCodec } from '../../src/codec/zstd.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { isStowageError } from '../../src/errors.ts';
import { collectionVersionName } from '../../src/format/collection-records.ts';
import {
  type CopyFolder,
  copyName,
  damagedMarkOf,
  isPackName,
  isPlainName,
  packName,
  parseCopyName,
  plainName,
} from '../../src/format/content-names.ts';
import {
  columnsToBytes,
  decodeColumns,
  decodeGroup,
  decodeManifest,
  encodeGroup,
  encodeManifest,
  groupRoot,
  type Manifest,
  manifestRoot,
} from '../../src/format/manifest.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { isSessionId, newSessionId } from '../../src/format/session-id.ts';
import { compareNames } from '../../src/storage/name-order.ts';
import {
  decodeSegment,
  encodeObjectName,
  encodeSegment,
  type NameEncoding,
  validateUserName,
} from '../../src/storage/names.ts';
import { DEFAULT_LIMITS } from '../../src/values/extensions.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { GENERATORS } from '../content/chunker-generators.ts';
import { vectorTransformer } from '../values/arbitrary-value.ts';
import { difference } from '../values/strictly-equal.ts';
import { fromTagged, type Tagged } from './tagged-values.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/format.md'), 'utf8');

beforeAll(() => prepareCodec());

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** The code of the StowageError that `work` throws. */
function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return isStowageError(error) ? error.code : String(error);
  }
  return 'nothing was thrown';
}

describe('docs/format.md', () => {
  const files = readdirSync(join(root, 'docs/format-vectors'));

  it.each(files)('links %s', (file) => {
    expect(page).toContain(`(format-vectors/${file})`);
  });

  const rows = [...page.matchAll(/^\| `(\w+)`[^|]*\| ([\dA-Fx,]+) \| `(src\/[^`]+)` \|$/gm)].map((match) => ({
    name: match[1] as string,
    told: Number((match[2] as string).replaceAll(',', '')),
    file: match[3] as string,
  }));

  it('tells all limits in rows that this test understands', () => {
    const section = page.slice(page.indexOf('## 14. Limits'), page.indexOf('## 15.'));
    expect(rows.length).toBe(section.split('\n').filter((line) => line.includes('`src/')).length);
    expect(rows.length).toBeGreaterThan(30);
  });

  it.each(rows)('tells $name of $file as the code has it', ({ name, told, file }) => {
    expect(constantIn(file, name)).toBe(told);
  });

  it('has the table of extensions that the code has', () => {
    const source = readFileSync(join(root, 'src/values/extensions.ts'), 'utf8');
    const codes = (text: string, row: RegExp): string[] =>
      [...text.matchAll(row)].map((match) => match[1] as string);
    const values = page.slice(page.indexOf('### The MessagePack dialect'), page.indexOf('**Depth**'));
    const inCode = codes(source, /^ {2}\w+: (\d+),$/gm);
    expect(codes(values, /^\| (\d+) \|/gm)).toEqual(inCode);
    expect(inCode.length).toBe(16);
  });

  /** The value of `const NAME = <numbers and operators>` in a source file. */
  function constantIn(file: string, name: string): number {
    if (name in DEFAULT_LIMITS) return DEFAULT_LIMITS[name as keyof typeof DEFAULT_LIMITS];
    const source = readFileSync(join(root, file), 'utf8');
    const expression = new RegExp(`const ${name}(?:: number)? = ([\\dxa-f_.*| ]+);`).exec(source)?.[1];
    if (expression === undefined) throw new Error(`${file} has no constant ${name} of plain numbers`);
    const value = new Function(`return ${expression}`)() as number;
    return value < 0 ? value >>> 0 : value;
  }
});

describe('record.json', () => {
  test.each(recordVectors.cases)('$text', ({ fields, text, ...other }) => {
    expect(decodeRecord(Buffer.from(text), 'a record')).toEqual(fields);
    expect(text.slice(-66, -2)).toBe(digestHex(Buffer.from(text).subarray(0, -77)));
    if (!('foreign' in other)) expect(Buffer.from(encodeRecord(fields)).toString()).toBe(text);
  });

  test.each(recordVectors.refused)('$name is refused', ({ text }) => {
    expect(codeOf(() => decodeRecord(Buffer.from(text), 'a record'))).toBe('RECORD_DAMAGED');
  });
});

describe('names.json', () => {
  const { objects } = nameVectors;

  test.each(nameVectors.sessions)('session $id', ({ bytes, id }) => {
    expect(newSessionId(() => unhex(bytes))).toBe(id);
    expect(isSessionId(id)).toBe(true);
  });

  test.each(objects.copies)('copy $name', ({ folder, key, session, sequence, bytes, name }) => {
    expect(copyName(folder as CopyFolder, key, session, sequence, bytes)).toBe(name);
    expect(parseCopyName(name)).toEqual({ folder, key, session, bytes });
  });

  test.each(objects.noCopies)('%s is no copy', (name) => {
    expect(parseCopyName(name)).toBeUndefined();
  });

  test('packs, plain objects, marks and versions', () => {
    for (const { session, sequence, name } of objects.packs) {
      expect(packName(session, sequence)).toBe(name);
      expect(isPackName(name)).toBe(true);
    }
    for (const { session, sequence, file, name } of objects.plain) {
      expect(plainName(session, sequence, file)).toBe(name);
      expect(isPlainName(name)).toBe(true);
    }
    for (const { of, name } of objects.damaged) expect(damagedMarkOf(of)).toBe(name);
    for (const { version, name } of objects.versions) expect(collectionVersionName(version)).toBe(name);
  });

  test.each(nameVectors.segments)('segment $segment', ({ segment, exact, fold }) => {
    expect(encodeSegment(segment, 'exact')).toBe(exact);
    expect(encodeSegment(segment, 'fold')).toBe(fold);
    expect(decodeSegment(exact, 'exact')).toBe(segment);
    expect(decodeSegment(fold, 'fold')).toBe(segment);
  });

  test.each(nameVectors.paths)('name $name', ({ name, exact, fold }) => {
    expect(encodeObjectName(name, 'exact')).toBe(exact);
    expect(encodeObjectName(name, 'fold')).toBe(fold);
  });

  test.each(nameVectors.noFiles)('no object has the file name $file with $encoding', ({ file, encoding }) => {
    expect(decodeSegment(file, encoding as NameEncoding)).toBeUndefined();
  });

  test('names that users may give, and those they may not', () => {
    for (const name of nameVectors.acceptedUserNames) expect(validateUserName(name, 'task')).toBe(name);
    for (const name of nameVectors.refusedUserNames) {
      expect(codeOf(() => validateUserName(name, 'task'))).toBe('INVALID_NAME');
    }
  });

  test('the order of a listing', () => {
    const names = nameVectors.order;
    expect([...names].reverse().sort(compareNames)).toEqual(names);
    expect([...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))).toEqual(names);
  });
});

describe('envelope.json', () => {
  const compressions: Record<string, Compression> = {
    raw: 'none',
    zstd: { codec: 'zstd' },
    'grouped-zstd': { codec: 'grouped-zstd' },
  };

  test.each(envelopeVectors.cases)('$name', ({ kind, codec, elementBytes, raw, envelope }) => {
    const opened = openEnvelope(unhex(envelope), { kind: kind as EnvelopeKind });
    expect(hex(opened.raw)).toBe(raw);
    expect(opened.header).toEqual({
      kind,
      codec,
      elementBytes,
      rawBytes: raw.length / 2,
      storedBytes: envelope.length / 2 - 48,
    });
    const compression = compressions[codec] as Compression;
    const sealed = sealEnvelope(kind as EnvelopeKind, unhex(raw), { compression, elementBytes });
    if (codec === 'raw') expect(hex(sealed)).toBe(envelope);
    // Encoders of zstd differ; what they make has the same header but for its length, and is read alike.
    expect(hex(sealed).slice(0, 64)).toBe(envelope.slice(0, 64));
    expect(hex(openEnvelope(sealed).raw)).toBe(raw);
  });

  test('every kind, every codec', () => {
    const { cases } = envelopeVectors;
    expect(new Set(cases.map(({ kind }) => kind)).size).toBe(5);
    expect(new Set(cases.map(({ codec }) => codec)).size).toBe(3);
  });

  test.each(envelopeVectors.refused)('$name is refused', ({ code, envelope }) => {
    expect(codeOf(() => openEnvelope(unhex(envelope)))).toBe(code);
  });
});

describe('chunker.json', () => {
  test('the gear table', () => {
    const words = [...GEAR].map((word) => (word >>> 0).toString(16).padStart(8, '0'));
    const bytes = Buffer.alloc(1024);
    GEAR.forEach((word, index) => {
      bytes.writeInt32LE(word, 4 * index);
    });
    expect(chunkerVectors.chunker).toBe(CHUNKER_ID);
    expect(words.slice(0, 4)).toEqual(chunkerVectors.gear.first);
    expect(words.slice(-4)).toEqual(chunkerVectors.gear.last);
    expect(digestHex(bytes)).toBe(chunkerVectors.gearDigest);
  });

  test.each(chunkerVectors.cases)('$generator, seed $seed, $bytes bytes', (vector) => {
    const content = GENERATORS[vector.generator]?.(vector.bytes, vector.seed) as Uint8Array;
    expect(digestHex(content)).toBe(vector.contentDigest);
    const lengths: number[] = [];
    for (let start = 0; start < content.length; start += lengths.at(-1) as number) {
      lengths.push(nextCut(content, start, content.length) - start);
    }
    expect(lengths).toEqual(vector.lengths);
  });
});

describe('manifest.json', () => {
  /** The manifest that a vector describes. */
  function manifestOf(vector: (typeof manifestVectors.cases)[number]): Manifest {
    return {
      key: manifestVectors.key,
      chunker: vector.chunker,
      bytes: vector.bytes,
      root: vector.root,
      storedBytes: vector.stored,
      packs: vector.packs.map(([name, bytes]) => ({ name: name as string, bytes: bytes as number })),
      groups: vector.groups.map((group) => {
        const columns = columnsOf(group.columns);
        const where = 'at' in group ? (group.at as [number, number, number]) : undefined;
        return {
          chunks: group.chunks,
          bytes: group.bytes,
          root: unhex(group.root),
          columns: where ? undefined : columns,
          at: where && { pack: where[0], offset: where[1], storedBytes: where[2] },
        };
      }),
    };
  }

  function columnsOf(columns: (typeof manifestVectors.cases)[number]['groups'][number]['columns']) {
    return {
      digests: unhex(columns.digests.join('')),
      lengths: Uint32Array.from(columns.lengths),
      packs: Uint32Array.from(columns.packs),
      offsets: Uint32Array.from(columns.offsets),
      storedBytes: Uint32Array.from(columns.storedBytes),
    };
  }

  test.each(manifestVectors.cases)('$name', (vector) => {
    const manifest = manifestOf(vector);
    expect(hex(encodeManifest(manifest))).toBe(vector.raw);
    const decoded = decodeManifest(unhex(vector.raw), manifestVectors.key, 'a manifest');
    expect(decoded).toEqual(manifest);
    expect(manifestRoot(vector.chunker, manifest.groups)).toBe(vector.root);
    for (const [index, group] of vector.groups.entries()) {
      const columns = columnsOf(group.columns);
      expect(hex(columnsToBytes(columns))).toBe(group.columnsHex);
      expect(hex(groupRoot(columns.digests, columns.lengths))).toBe(group.root);
      const described = decoded.groups[index] as Manifest['groups'][number];
      expect(decodeColumns(unhex(group.columnsHex), described, decoded.packs, 'a group')).toEqual(columns);
    }
  });

  test.each(manifestVectors.cases)('$name, read from its packs', (vector) => {
    const packs = vector.packObjects as unknown as Record<string, string>;
    const entry = (pack: number, offset: number, length: number): Uint8Array => {
      const [name, bytes] = vector.packs[pack] as [string, number];
      const object = unhex(packs[name] as string);
      expect(object.length).toBe(bytes);
      return object.subarray(offset, offset + length);
    };
    let content = '';
    for (const group of vector.groups) {
      if ('at' in group) {
        const [pack, offset, length] = group.at as [number, number, number];
        const columns = columnsOf(group.columns);
        const { raw } = openEnvelope(entry(pack, offset, length), { kind: 'group' });
        expect(hex(raw)).toBe(hex(encodeGroup(columns)));
        expect(hex(raw).slice(0, -64)).toBe(group.columnsHex);
        const described = { chunks: group.chunks, bytes: group.bytes, root: unhex(group.root) };
        const named = vector.packs.map(([name, bytes]) => ({ name: name as string, bytes: bytes as number }));
        expect(decodeGroup(raw, described, named, 'a group')).toEqual(columns);
      }
      const { digests, packs: indexes, offsets, storedBytes } = group.columns;
      for (const [i, digest] of digests.entries()) {
        const bytes = entry(indexes[i] as number, offsets[i] as number, storedBytes[i] as number);
        const { raw } = openEnvelope(bytes, { kind: 'chunk' });
        expect(digestHex(raw)).toBe(digest);
        content += Buffer.from(raw).toString();
      }
    }
    expect(content).toBe(manifestVectors.content);
    expect(digestHex(Buffer.from(content))).toBe(manifestVectors.key);
  });

  test.each(manifestVectors.refused)('$name is refused', ({ code, raw }) => {
    expect(codeOf(() => decodeManifest(unhex(raw as string), manifestVectors.key, 'a manifest'))).toBe(code);
  });

  test('every changed bit of a manifest is found', () => {
    const raw = unhex(manifestVectors.cases[0]?.raw as string);
    for (let bit = 0; bit < 8 * raw.length; bit++) {
      const changed = Uint8Array.from(raw);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(codeOf(() => decodeManifest(changed, manifestVectors.key, 'a manifest'))).toBe(
        'CONTENT_DAMAGED',
      );
    }
  });
});

describe('values.json', () => {
  const registry = new SerializerRegistry();
  registry.registerClass(vectorTransformer);
  const asMsgpack = (bytes: string): unknown =>
    registry.deserialize('a', { encoding: 'msgpack', type: 'object' }, unhex(bytes));

  test.each(valueVectors.cases)('$name', (vector) => {
    const value = fromTagged(vector.value as Tagged);
    const serialized = registry.serialize('a', value);
    expect(serialized).toMatchObject({ encoding: vector.encoding, type: vector.type });
    expect(hex(serialized.bytes)).toBe(vector.bytes);
    expect(digestHex(serialized.bytes)).toBe(vector.key);
    expect('json' in toInline(serialized)).toBe(vector.json);
    const loaded = registry.deserialize('a', vector, unhex(vector.bytes));
    expect(difference(loaded, value)).toBeUndefined();
  });

  test('every extension, and every element type that this runtime has', () => {
    const all = valueVectors.cases.map(({ bytes }) => bytes).join(' ');
    for (const code of [
      '01',
      '02',
      '03',
      '04',
      '05',
      '06',
      '07',
      '08',
      '09',
      '0a',
      '0b',
      '0c',
      '0d',
      '0e',
      '0f',
    ]) {
      expect(all).toMatch(new RegExp(`(d[45678]|c7..|c9.{8})${code}`));
    }
  });

  test.each(valueVectors.longer)('$bytes is read', ({ bytes, value }) => {
    expect(asMsgpack(bytes)).toEqual(value);
  });

  test.each(valueVectors.refused)('$name is refused', ({ bytes }) => {
    expect(codeOf(() => asMsgpack(bytes))).toBe('UNDECODABLE_ARTIFACT');
  });
});

describe('keys.json', () => {
  const registry = new SerializerRegistry();
  registry.registerClass(vectorTransformer);
  const digestOf = (value: unknown): string => valueDigest(value, { taskName: 't', root: 'input' }, registry);

  test.each(keyVectors.values as { name: string; value: Tagged; digest: string }[])('$name', (vector) => {
    expect(digestOf(fromTagged(vector.value))).toBe(vector.digest);
  });

  test('every tag', () => {
    const source = readFileSync(join(root, 'src/cache/key-sink.ts'), 'utf8');
    const letters = [...source.matchAll(/^ {2}\w+: 0x\w\w, \/\/ (\w)$/gm)].map((match) => match[1] as string);
    const section = page.slice(page.indexOf('## 16.'));
    const told = [...section.matchAll(/^\| ((?:`\w`(?:, )?)+) \|/gm)].flatMap((row) =>
      (row[1] as string).match(/\w/g),
    );
    expect(told.sort()).toEqual(letters.sort());
    expect(letters.length).toBe(25);
  });

  test.each(keyVectors.schemas)('$schema', ({ schema, canonical, digest }) => {
    expect(canonicalSchema(schema)).toEqual(canonical);
    expect(digestOf(canonical)).toBe(digest);
  });

  test.each(keyVectors.keys)('$key', ({ call, parts, key }) => {
    const { input, config, ...others } = call as unknown as CacheKeyParts & {
      input: Tagged;
      config?: Tagged;
    };
    const given = config === undefined ? {} : { config: fromTagged(config) };
    expect(cacheKey({ ...others, ...given, input: fromTagged(input) })).toMatchObject({ key, parts });
    expect(keyOfParts(parts as never)).toBe(key);
  });
});
