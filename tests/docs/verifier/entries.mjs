// Entries: parsed or refused (docs/protocol.md, section 9).
import { refuse, unpack } from './msgpack.mjs';
import { leafHash } from './keys.mjs';

const NODE = /^[A-Z][A-Z0-9-]{1,31}\/[a-z0-9][a-z0-9-]{0,62}$/, MEMBER = /^[A-Z][A-Z0-9-]{1,31}$/, GROUP = /^@[a-z0-9][a-z0-9-]{0,62}$/;
const ORIGIN = /^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?(:[1-9][0-9]{0,4})?\/[a-z0-9-]{1,63}\/[a-z0-9][a-z0-9-]{0,62}$/;
const TYPE = /^[a-z][a-z0-9.-]*(\/[a-z][a-z0-9-]*)+\/[1-9][0-9]{0,4}$/;
const KINDS = ['message', 'grant', 'heartbeat', 'acknowledgement', 'release', 'recall', 'erasure'];
const KEYS = 'approvals content directory document expires_at grant id kind label log parts precedence prev purpose refs seen sender seq to type'.split(' ');

const need = (truth, what) => truth || refuse(what);
const whole = (v, low = 0, high = Infinity) => need((typeof v === 'number' || typeof v === 'bigint') && v >= low && v <= high, 'whole number') && v;
const bin = (v, size) => need(Buffer.isBuffer(v) && v.length === size, `${size} bytes`) && v;
const like = (v, pattern, most = 255) => need(typeof v === 'string' && v.length <= most && pattern.test(v), `grammar of ${v}`) && v;
const text = (v, low, high) => need(typeof v === 'string' && [...v].length >= low && [...v].length <= high && !/[\u0000-\u001f\u007f]/.test(v), 'text') && v;
const list = (v, low, high) => need(Array.isArray(v) && v.length >= low && v.length <= high, 'list') && v;
const closed = (v, keys) => need(v instanceof Map && v.size === keys.length && keys.every((key) => v.has(key)), `keys ${keys}`) && v;
const bytes = (v) => (Buffer.isBuffer(v) ? v : Buffer.from(v));
const rising = (v) => need(v.every((item, i) => i === 0 || Buffer.compare(bytes(v[i - 1]), bytes(item)) < 0), 'rising');
const id = (v) => need(bin(v, 16)[6] >> 4 === 7 && v[8] >> 6 === 2, 'UUIDv7') && v;
const maybe = (v, readIt) => v === null || readIt(v);
const pairs = (v, low, high, readIt) => { list(v, low, high).forEach((item) => { list(item, 2, 2); readIt(item); }); rising(v.map((item) => item[0])); };
const head = (v) => { list(v, 3, 3); whole(v[0]); bin(v[1], 32); bin(v[2], 64); };
const ref = (v) => { list(v, 3, 3); like(v[0], ORIGIN); whole(v[1]); bin(v[2], 32); };

function label(v, inner) {
  closed(v, ['audience', 'created', 'level', 'originators', 'review', 'scheme', 'successor', 'tags']);
  like(v.get('scheme'), /^[A-Z][A-Z0-9-]{1,31}$/); like(v.get('level'), /^[A-Z][A-Z0-9+-]*( [A-Z0-9+-]+)*$/, 64);
  const authors = list(v.get('originators'), 0, 64), audience = list(v.get('audience'), 0, 512);
  authors.forEach((m) => like(m, MEMBER)); rising(authors);
  audience.forEach((m) => like(m, typeof m === 'string' && m.startsWith('@') ? GROUP : MEMBER)); rising(audience);
  need(!(audience.includes('@members') && audience.length > 1), '@members stands alone');
  need(authors.length !== 1 || !audience.includes(authors[0]), 'the sole originator is not listed');
  need(v.get('tags') instanceof Map && v.get('tags').size <= 16, 'tags');
  for (const [name, values] of v.get('tags')) {
    like(name, /^[a-z][a-z0-9-]{0,31}$/); list(values, 0, 64).forEach((value) => like(value, /^[A-Z0-9][A-Z0-9.+-]*( [A-Z0-9][A-Z0-9.+-]*)*$/, 64)); rising(values);
  }
  maybe(v.get('created'), whole); maybe(v.get('review'), whole);
  maybe(v.get('successor'), (next) => { need(!inner, 'successor of a successor'); label(next, true); });
}

const CONTENT = {
  grant: (v) => {
    closed(v, ['check', 'nodes']); bin(v.get('check'), 32);
    list(v.get('nodes'), 1, 500).forEach((row) => { list(row, 3, 3); like(row[0], NODE); bin(row[1], 32); bin(row[2], 32); }); rising(v.get('nodes').map((row) => row[0]));
  },
  heartbeat: (v) => { closed(v, ['received']); pairs(v.get('received'), 0, 500, ([node, c]) => { like(node, NODE); bin(c, 32); }); },
  acknowledgement: (v) => { closed(v, ['basis', 'statement']); need(['acknowledged', 'complied', 'held', 'cannot', 'node-erased'].includes(v.get('statement')), 'statement'); maybe(v.get('basis'), (t) => text(t, 1, 200)); },
  release: (v) => { closed(v, ['digest', 'members', 'until']); bin(v.get('digest'), 32); list(v.get('members'), 1, 500).forEach((m) => like(m, MEMBER)); rising(v.get('members')); maybe(v.get('until'), whole); },
  recall: (v) => { closed(v, ['notice']); maybe(v.get('notice'), id); },
  erasure: (v) => { closed(v, ['basis', 'digests']); list(v.get('digests'), 1, 256).forEach((d) => bin(d, 32)); rising(v.get('digests')); text(v.get('basis'), 1, 200); },
};

function refs(v) {
  closed(v, ['derived_from', 'releases', 'reply_to', 'supersedes', 'target']);
  for (const key of ['derived_from', 'releases']) list(v.get(key), 0, 16).forEach(ref);
  for (const key of ['reply_to', 'supersedes', 'target']) maybe(v.get(key), ref);
  need([...v.values()].some((item) => item !== null && !(Array.isArray(item) && item.length === 0)), 'all empty');
}

function parseHeader(data) {
  need(data.length <= 65000, 'header too long');
  const h = closed(unpack(data, 512), KEYS), get = (key) => h.get(key);
  need(KINDS.includes(get('kind')), 'kind'); like(get('log'), ORIGIN); id(get('id')); like(get('sender'), NODE); whole(get('seq'), 1); bin(get('prev'), 32);
  maybe(get('type'), (t) => like(t, TYPE, 120)); maybe(get('expires_at'), whole); need(['FLASH', 'IMMEDIATE', 'PRIORITY', 'ROUTINE'].includes(get('precedence')), 'precedence');
  maybe(get('purpose'), (t) => text(t, 1, 64)); maybe(get('document'), (d) => { list(d, 2, 2); id(d[0]); whole(d[1], 2, 256); });
  maybe(get('refs'), refs); maybe(get('label'), (l) => label(l, false)); maybe(get('grant'), id); head(get('seen')); head(get('directory'));
  pairs(get('to'), 0, 500, ([node, c]) => { like(node, NODE); bin(c, 32); }); need(!get('to').some(([node]) => node === get('sender')), 'the sender itself');
  list(get('parts'), 0, 16).forEach((part) => { closed(part, ['commit', 'digest', 'media', 'size']); bin(part.get('commit'), 32); bin(part.get('digest'), 32); text(part.get('media'), 1, 64); whole(part.get('size'), 1, 2 ** 40); });
  pairs(get('approvals'), 0, 8, ([key, signature]) => { bin(key, 32); bin(signature, 64); });
  if (get('kind') === 'message') {
    need(get('content') === null && get('type') !== null && get('label') !== null && get('grant') !== null && get('parts').length, 'a message');
  } else {
    CONTENT[get('kind')](get('content'));
    need(['type', 'label', 'purpose', 'document', 'expires_at', 'grant'].every((key) => get(key) === null) && !get('parts').length, 'only a message');
    const targeted = ['acknowledgement', 'release', 'recall'].includes(get('kind')), r = get('refs');
    need(targeted ? r !== null && [...r].every(([key, v]) => (key === 'target' ? v !== null : v === null || v.length === 0)) : r === null, 'references');
  }
  return h;
}

function parseBlock(data) {
  need(data.length <= 512, 'block too long');
  const [suite, key, signature, index, size, path] = list(unpack(data, 16), 6, 6);
  need(suite === 1, 'suite'); bin(key, 32); bin(signature, 64); whole(size, 1, 256); whole(index, 0, size - 1); list(path, 0, 8).forEach((node) => bin(node, 32));
  return { key, signature, index, size, path };
}

export function splitEntry(raw) {
  need(raw.length <= 65535, 'entry too long');
  const [version, first, block, stamp] = list(unpack(raw, 4), 4, 4);
  need(version === 1 && [first, block, stamp].every(Buffer.isBuffer), 'entry');
  need(stamp.length <= 32, 'stamp too long');
  const found = list(unpack(stamp), 2, 2);
  found.forEach((n) => whole(n));
  return { first, block, stamp: found };
}

export function parseEntry(raw) {
  const { first, block, stamp } = splitEntry(raw);
  return { raw, leaf: leafHash(raw), headerBytes: first, header: parseHeader(first), hash: leafHash(first), block: parseBlock(block), stamp };
}
