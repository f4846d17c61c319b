// Reads and writes exported logs without a line of rsc_share: node:crypto for Ed25519 and SHA-256, @noble/post-quantum
// for ML-DSA-44, and the C2SP texts.
//
//   node log_check.mjs check <folder> <ml-dsa.js>   verify every file of an export; prints a summary, exit 1 if wrong
//   node log_check.mjs sign <folder> <ml-dsa.js>    cosign its checkpoint with new keys; prints keys and lines
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

const [mode, folder, mldsaPath] = process.argv.slice(2);
const { ml_dsa44 } = await import(pathToFileURL(mldsaPath).href);

const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafHash = (entry) => sha(Buffer.of(0), entry);
const nodeHash = (left, right) => sha(Buffer.of(1), left, right);
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b; };
const short = (text) => Buffer.concat([Buffer.of(Buffer.byteLength(text)), Buffer.from(text)]);
const need = (truth, what) => { if (!truth) { console.error(what); process.exit(1); } };

// RFC 6962 section 2.1, by its definition
function root(leaves) {
  if (leaves.length === 0) return sha();
  if (leaves.length === 1) return leaves[0];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(root(leaves.slice(0, k)), root(leaves.slice(k)));
}

// RFC 6962 section 2.1.1: the root the path leads to, from its last hash down
function rootOfPath(leaf, index, size, path) {
  if (size === 1) { need(path.length === 0, 'inclusion proof too long'); return leaf; }
  need(path.length > 0, 'inclusion proof too short');
  const rest = path.slice(0, -1), last = path[path.length - 1];
  let k = 1;
  while (k * 2 < size) k *= 2;
  return index < k ? nodeHash(rootOfPath(leaf, index, k, rest), last)
    : nodeHash(last, rootOfPath(leaf, index - k, size - k, rest));
}

function parseNote(bytes) {
  const text = bytes.toString('utf8');
  const at = text.lastIndexOf('\n\n');
  const lines = text.slice(at + 2).split('\n').slice(0, -1).map((line) => {
    const [dash, name, encoded] = line.split(' ');
    need(dash === '—', 'signature line without em dash');
    const raw = Buffer.from(encoded, 'base64');
    return { name, id: raw.subarray(0, 4).toString('hex'), blob: raw.subarray(4) };
  });
  const body = text.slice(0, at + 1);
  const [origin, size, hash] = body.split('\n');
  return { body, origin, size: Number(size), root: Buffer.from(hash, 'base64'), lines };
}

const keyId = (name, type, key) => sha(Buffer.from(name + '\n'), Buffer.of(type), key).subarray(0, 4).toString('hex');
const vkeyOf = (name, type, key) => `${name}+${keyId(name, type, key)}+${Buffer.concat([Buffer.of(type), key]).toString('base64')}`;

function parseVkey(text) {
  const [name, id] = text.split('+', 2);
  const raw = Buffer.from(text.slice(name.length + id.length + 2), 'base64');
  need(keyId(name, raw[0], raw.subarray(1)) === id, `key id of ${name}`);
  return { name, id, type: raw[0], key: raw.subarray(1) };
}

const edMessage = (note, time) => Buffer.from(`cosignature/v1\ntime ${time}\n${note.body}`);
const pqMessage = (note, name, time) => Buffer.concat([
  Buffer.from('subtree/v1\n\0'), short(name), u64(time), short(note.origin), u64(0), u64(note.size), note.root]);

function verifies(note, line, { type, key, name }) {
  const ed = () => createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key.toString('base64url') }, format: 'jwk' });
  if (type === 1) return verify(null, Buffer.from(note.body), ed(), line.blob);
  const time = line.blob.readBigUInt64BE(0), signature = line.blob.subarray(8);
  if (type === 4) return verify(null, edMessage(note, time), ed(), signature);
  return type === 6 && ml_dsa44.verify(signature, pqMessage(note, name, time), key);
}

function openNote(bytes, keys) {
  const note = parseNote(bytes);
  const found = [];
  for (const line of note.lines) {
    const key = keys.find((k) => k.name === line.name && k.id === line.id);
    if (!key) continue;
    need(verifies(note, line, key), `signature of ${line.name} type ${key.type}`);
    found.push(`${key.type} ${key.name}`);
  }
  need(found.length > 0, 'no known signature');
  return { ...note, found };
}

function filesUnder(top) {
  return readdirSync(top, { recursive: true }).map((name) => join(top, name)).filter((path) => statSync(path).isFile());
}

function pathOf(kind, n, width) {
  let name = String(n % 1000).padStart(3, '0');
  for (n = Math.floor(n / 1000); n > 0; n = Math.floor(n / 1000)) name = `x${String(n % 1000).padStart(3, '0')}/${name}`;
  return `tile/${kind}/${name}${width === 256 ? '' : `.p/${width}`}`;
}

function check() {
  const keys = readFileSync(join(folder, 'keys.txt'), 'utf8').trim().split('\n').map(parseVkey);
  const note = openNote(readFileSync(join(folder, 'checkpoint')), keys);
  const seen = new Set();
  const read = (kind, n, width) => { const p = pathOf(kind, n, width); seen.add(p); return readFileSync(join(folder, p)); };
  const leaves = [];
  for (let first = 0; first < note.size; first += 256) {
    const width = Math.min(256, note.size - first);
    const data = read('entries', first / 256, width);
    let at = 0;
    for (let i = 0; i < width; i++) {
      const end = at + 2 + data.readUInt16BE(at);
      need(end <= data.length, 'bundle too short');
      leaves.push(leafHash(data.subarray(at + 2, end)));
      at = end;
    }
    need(at === data.length, 'bundle too long');
  }
  need(root(leaves).equals(note.root), 'root of the entries');
  for (let level = 0, nodes = leaves; nodes.length > 0; level++) {
    const above = [];
    for (let first = 0; first < nodes.length; first += 256) {
      const tile = nodes.slice(first, first + 256);
      need(read(level, first / 256, tile.length).equals(Buffer.concat(tile)), `tile ${level}/${first / 256}`);
      if (tile.length === 256) above.push(root(tile));
    }
    nodes = above;
  }
  const there = filesUnder(join(folder, 'tile')).map((path) => relative(folder, path));
  need(there.length === seen.size && there.every((path) => seen.has(path)), 'files missing or extra');
  let proofs = 0;
  for (const path of filesUnder(folder).filter((name) => name.endsWith('.tlog-proof'))) {
    const bytes = readFileSync(path);
    const at = bytes.indexOf('\n\n');
    const lines = bytes.subarray(0, at).toString().split('\n').filter((line) => !line.startsWith('extra '));
    need(lines.shift() === 'c2sp.org/tlog-proof@v1', 'proof header');
    const index = Number(lines.shift().slice('index '.length));
    const proved = openNote(bytes.subarray(at + 2), keys);
    const hashes = lines.map((line) => Buffer.from(line, 'base64'));
    need(rootOfPath(leaves[index], index, proved.size, hashes).equals(proved.root), `proof ${index}`);
    proofs++;
  }
  console.log(JSON.stringify({ size: note.size, signatures: note.found, tiles: seen.size, proofs }));
}

function cosign() {
  const note = parseNote(readFileSync(join(folder, 'checkpoint')));
  const name = 'witness.example/node', time = 1790000123;
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const edKey = Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url');
  const pq = ml_dsa44.keygen();
  const pqKey = Buffer.from(pq.publicKey);
  const made = [
    [4, edKey, sign(null, edMessage(note, time), privateKey)],
    [6, pqKey, Buffer.from(ml_dsa44.sign(pqMessage(note, name, time), pq.secretKey))],
  ];
  console.log(JSON.stringify({
    keys: made.map(([type, key]) => vkeyOf(name, type, key)),
    lines: made.map(([type, key, signature]) =>
      `— ${name} ${Buffer.concat([Buffer.from(keyId(name, type, key), 'hex'), u64(time), signature]).toString('base64')}\n`),
  }));
}

if (mode === 'check') check();
else cosign();
