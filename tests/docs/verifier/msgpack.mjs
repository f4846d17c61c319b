// Canonical msgpack (docs/protocol.md, section 2). Integers beyond 2^53 are BigInt, byte strings Buffer, floats {float}.
export class Refused extends Error {}
export const refuse = (what) => { throw new Refused(what); };
const LOW = -(2n ** 63n), HIGH = 2n ** 63n - 1n;

export function unpack(data, items = 1024) {
  let at = 0;
  const take = (n) => { if (at + n > data.length) refuse('ends early'); at += n; return data.subarray(at - n, at); };
  const uint = (n) => take(n).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const int = (big) => {
    if (big < LOW || big > HIGH) refuse('integer outside 64 bits');
    return big >= -(2n ** 53n) && big <= 2n ** 53n ? Number(big) : big;
  };
  const text = (n) => { try { return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(take(n)); } catch { return refuse('not UTF-8'); } };
  const many = (n, depth, read) => {
    if (depth === 0) refuse('nested too deep');
    if (n > items) refuse('too many items');
    return read(n, depth - 1);
  };
  const list = (n, depth) => Array.from({ length: n }, () => value(depth));
  const map = (n, depth) => {
    const found = new Map();
    for (let i = 0; i < n; i++) {
      const key = value(depth);
      if (typeof key !== 'string') refuse('map key is no string');
      found.set(key, value(depth));
      if (found.size !== i + 1) refuse('map key twice');
    }
    return found;
  };
  function value(depth) {
    const type = take(1)[0];
    if (type < 0x80) return type;
    if (type < 0x90) return many(type & 15, depth, map);
    if (type < 0xa0) return many(type & 15, depth, list);
    if (type < 0xc0) return text(type & 31);
    if (type >= 0xe0) return type - 256;
    switch (type) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return Buffer.from(take(Number(uint(1 << (type - 0xc4)))));
      case 0xcb: { const bytes = take(8); return { float: new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0) }; }
      case 0xcc: case 0xcd: case 0xce: case 0xcf: return int(uint(1 << (type - 0xcc)));
      case 0xd0: case 0xd1: case 0xd2: case 0xd3: { const n = 1 << (type - 0xd0); return int(BigInt.asIntN(8 * n, uint(n))); }
      case 0xd9: case 0xda: case 0xdb: return text(Number(uint(1 << (type - 0xd9))));
      case 0xdc: case 0xdd: return many(Number(uint(type === 0xdc ? 2 : 4)), depth, list);
      case 0xde: case 0xdf: return many(Number(uint(type === 0xde ? 2 : 4)), depth, map);
      default: return refuse('a type that is not allowed');
    }
  }
  const found = value(16);
  if (at !== data.length) refuse('bytes after the value');
  if (!pack(found).equals(data)) refuse('not the one spelling');
  return found;
}

export function pack(value) {
  const parts = [];
  const number = (n, size) => { const b = Buffer.alloc(8); b.writeBigInt64BE(BigInt.asIntN(64, BigInt(n))); return b.subarray(8 - size); };
  const head = (type, size, n) => { parts.push(Buffer.of(type)); if (size) parts.push(number(n, size)); };
  const sized = (n, small, limit, types) => {
    if (n < limit) head(small | n, 0);
    else if (types[0] && n < 256) head(types[0], 1, n);
    else if (n < 65536) head(types[1], 2, n);
    else head(types[2], 4, n);
  };
  const integer = (v) => {
    const n = BigInt(v);
    if (n < LOW || n > HIGH) refuse('integer outside 64 bits');
    if (n >= 0n) {
      if (n < 128n) head(Number(n), 0);
      else if (n < 256n) head(0xcc, 1, n);
      else if (n < 65536n) head(0xcd, 2, n);
      else if (n < 2n ** 32n) head(0xce, 4, n);
      else head(0xcf, 8, n);
    } else if (n >= -32n) head(Number(n) + 256, 0);
    else if (n >= -128n) head(0xd0, 1, n);
    else if (n >= -32768n) head(0xd1, 2, n);
    else if (n >= -(2n ** 31n)) head(0xd2, 4, n);
    else head(0xd3, 8, n);
  };
  const walk = (v) => {
    if (v === null) head(0xc0, 0);
    else if (typeof v === 'boolean') head(v ? 0xc3 : 0xc2, 0);
    else if (typeof v === 'number' || typeof v === 'bigint') integer(v);
    else if (typeof v === 'string') { const b = Buffer.from(v); sized(b.length, 0xa0, 32, [0xd9, 0xda, 0xdb]); parts.push(b); }
    else if (Buffer.isBuffer(v)) { sized(v.length, 0, 0, [0xc4, 0xc5, 0xc6]); parts.push(v); }
    else if (Array.isArray(v)) { sized(v.length, 0x90, 16, [0, 0xdc, 0xdd]); v.forEach(walk); }
    else if (v instanceof Map) {
      sized(v.size, 0x80, 16, [0, 0xde, 0xdf]);
      const keys = [...v.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const key of keys) { walk(key); walk(v.get(key)); }
    } else {
      if (!Number.isFinite(v.float) || Object.is(v.float, -0)) refuse('float without one spelling');
      const b = Buffer.alloc(8); b.writeDoubleBE(v.float); parts.push(Buffer.of(0xcb), b);
    }
  };
  walk(value);
  return Buffer.concat(parts);
}

// A value as the vectors write it.
export function fromJson(v) {
  if (Array.isArray(v)) return v.map(fromJson);
  if (v === null || typeof v !== 'object') return v;
  const keys = Object.keys(v);
  if (keys.length === 1) {
    if (keys[0] === '$bin') return Buffer.from(v.$bin, 'hex');
    if (keys[0] === '$int') return BigInt(v.$int);
    if (keys[0] === '$float') return { float: Number(v.$float) };
  }
  return new Map(keys.map((key) => [key, fromJson(v[key])]));
}

// The other way, without marks: Map to object, for reading fields.
export function plain(v) {
  if (Array.isArray(v)) return v.map(plain);
  if (v instanceof Map) return Object.fromEntries([...v].map(([key, item]) => [key, plain(item)]));
  return v;
}
