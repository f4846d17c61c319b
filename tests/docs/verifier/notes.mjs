// Signed notes, checkpoints, cosignatures, tile paths (docs/protocol.md, section 13).
import { refuse } from './msgpack.mjs';
import { sha, u, verifies } from './keys.mjs';

const SUITE = { 1: 1, 4: 1, 6: 4 };

export function base64(text) {
  const raw = Buffer.from(text, 'base64');
  if (raw.toString('base64') !== text) refuse('not canonical base64');
  return raw;
}

export function parseVkey(text) {
  const [name, id, ...rest] = text.split('+');
  const raw = base64(rest.join('+'));
  const key = { name, type: raw[0], raw: raw.subarray(1) };
  key.id = sha(Buffer.from(`${name}\n`), raw).subarray(0, 4).toString('hex');
  if (key.id !== id || !(key.type in SUITE)) refuse('not a vkey');
  return key;
}

export function parseNote(text) {
  if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) refuse('control characters');
  const at = text.lastIndexOf('\n\n');
  if (at < 0 || !text.endsWith('\n')) refuse('not a note');
  const lines = text.slice(at + 2, -1).split('\n').map((line) => {
    const [dash, name, encoded, ...more] = line.split(' ');
    if (dash !== '—' || !name || !encoded || more.length) refuse('not a signature line');
    const raw = base64(encoded);
    if (raw.length < 5) refuse('signature too short');
    return { name, id: raw.subarray(0, 4).toString('hex'), blob: raw.subarray(4) };
  });
  return { text: text.slice(0, at + 1), lines };
}

export function parseCheckpoint(text) {
  const lines = text.split('\n');
  if (lines.length !== 4 || lines[3] !== '') refuse('not three lines');
  if (!/^(0|[1-9][0-9]{0,18})$/.test(lines[1])) refuse('size is not plain');
  const root = base64(lines[2]);
  if (root.length !== 32) refuse('root is not 32 bytes');
  if (lines[1] === '0' && !root.equals(sha())) refuse('not the empty root');
  return { origin: lines[0], size: Number(lines[1]), root };
}

export const checkpointText = (origin, size, rootHash) => Buffer.from(`${origin}\n${size}\n${rootHash.toString('base64')}\n`);

function message(key, head, text, time) {
  if (key.type === 4) return Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
  const name = Buffer.from(key.name), origin = Buffer.from(head.origin);
  return Buffer.concat([Buffer.from('subtree/v1\n\0'), Buffer.of(name.length), name, u(time, 8), Buffer.of(origin.length), origin, u(0, 8), u(head.size, 8), head.root]);
}

// {head, times: newest time by [name, type], skipped}; refuses by the rules of 13.1 and 13.2.
export function openCheckpoint(noble, text, logKeys, witnessKeys) {
  const note = parseNote(text), head = parseCheckpoint(note.text), times = new Map();
  if (logKeys.some((key) => key.name !== head.origin)) refuse('another log');
  let signed = false, skipped = 0;
  for (const line of note.lines) {
    const key = [...logKeys, ...witnessKeys].find((k) => k.name === line.name && k.id === line.id);
    if (!key) continue;
    const plainLine = key.type === 1;
    const time = plainLine ? null : line.blob.readBigUInt64BE(0);
    const data = plainLine ? Buffer.from(note.text) : message(key, head, note.text, time);
    const good = verifies(noble, SUITE[key.type], key.raw, data, plainLine ? line.blob : line.blob.subarray(8));
    if (good === false) refuse('a known key that fails');
    if (good === null) { skipped += 1; continue; }
    if (plainLine) signed = true;
    else if (line.name !== head.origin) {
      const mark = `${line.name} ${key.type}`;
      times.set(mark, Math.max(times.get(mark) ?? 0, Number(time)));
    }
  }
  if (!signed) refuse('the log did not sign');
  return { head, times, skipped };
}

export function tilePath(level, index, width) {
  const digits = String(index), padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/.{3}/g), name = groups.map((g, i) => (i < groups.length - 1 ? `x${g}` : g)).join('/');
  return `tile/${level === null ? 'entries' : level}/${name}${width === 256 ? '' : `.p/${width}`}`;
}

export function pathsOf(size) {
  const row = (level, nodes) => Array.from({ length: Math.ceil(nodes / 256) }, (_, i) => tilePath(level, i, Math.min(256, nodes - i * 256)));
  const found = row(null, size);
  for (let level = 0, nodes = size; nodes >= 1; level += 1, nodes = Math.floor(nodes / 256)) found.push(...row(level, nodes));
  return found;
}

export function readBundle(data, width) {
  const found = [];
  let at = 0;
  for (let i = 0; i < width; i++) {
    if (at + 2 > data.length) refuse('ends early');
    const n = data.readUInt16BE(at);
    if (at + 2 + n > data.length) refuse('ends early');
    found.push(data.subarray(at + 2, at + 2 + n));
    at += 2 + n;
  }
  if (at !== data.length) refuse('goes on');
  return found;
}
