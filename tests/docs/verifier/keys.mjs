// Keys, signed bytes, the one Ed25519 rule, trees (docs/protocol.md, section 3).
import { createHash, createPublicKey, verify as nodeVerify } from 'node:crypto';

export const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest();
export const hex = (text) => Buffer.from(text, 'hex');
export const u = (n, size) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b.subarray(8 - size); };
export const keyId = (suite, raw) => sha(Buffer.of(suite), raw);
export const signedBytes = (kind, suite, framework, ...parts) =>
  Buffer.concat([Buffer.from(`rsc-share/v1 ${kind}\0`), Buffer.of(suite), framework, ...parts]);

// y coordinates of the points of order 1, 2, 4 and 8, sign bit cleared
const SMALL = new Set([
  `01${'00'.repeat(31)}`, '00'.repeat(32), `ec${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);
function sound(bytes) {
  const y = Buffer.from(bytes);
  y[31] &= 0x7f;
  const canonical = !(y[31] === 0x7f && y[0] >= 0xed && y.subarray(1, 31).every((byte) => byte === 0xff));
  return canonical && !SMALL.has(y.toString('hex'));
}

export function ed25519(raw, data, signature) {
  if (raw.length !== 32 || signature.length !== 64 || !sound(raw) || !sound(signature.subarray(0, 32))) return false;
  const key = createPublicKey({ key: Buffer.concat([hex('302a300506032b6570032100'), raw]), format: 'der', type: 'spki' });
  return nodeVerify(null, data, key, signature);
}

const SIZES = { 1: [32, 64], 2: [32 + 1952, 64 + 3309], 4: [1312, 2420] };
// `noble` is @noble/post-quantum or null; null means the post-quantum half could not be checked.
export function verifies(noble, suite, raw, data, signature) {
  const sizes = SIZES[suite];
  if (!sizes || raw.length !== sizes[0] || signature.length !== sizes[1]) return false;
  if (suite === 1) return ed25519(raw, data, signature);
  if (suite === 2 && !ed25519(raw.subarray(0, 32), data, signature.subarray(0, 64))) return false;
  if (!noble) return null;
  const [scheme, from, at] = suite === 2 ? [noble.ml_dsa65, 32, 64] : [noble.ml_dsa44, 0, 0];
  return scheme.verify(signature.subarray(at), data, raw.subarray(from));
}

export const leafHash = (data) => sha(Buffer.of(0), data);
export const nodeHash = (a, b) => sha(Buffer.of(1), a, b);
const split = (n) => { let k = 1; while (k * 2 < n) k *= 2; return k; };

export function root(leaves) {
  if (leaves.length === 0) return sha();
  if (leaves.length === 1) return leaves[0];
  const k = split(leaves.length);
  return nodeHash(root(leaves.slice(0, k)), root(leaves.slice(k)));
}

// The root an inclusion path leads to, null where it does not fit index and size.
export function rootOfPath(leaf, index, size, path) {
  if (index < 0 || index >= size) return null;
  if (size === 1) return path.length ? null : leaf;
  if (!path.length) return null;
  const k = split(size), rest = path.slice(0, -1), last = path[path.length - 1];
  const inner = index < k ? rootOfPath(leaf, index, k, rest) : rootOfPath(leaf, index - k, size - k, rest);
  return inner && (index < k ? nodeHash(inner, last) : nodeHash(last, inner));
}

// RFC 6962, 2.1.2: does the proof lead from (old, oldRoot) to (size, newRoot)?
export function consistent(old, size, oldRoot, newRoot, proof) {
  if (old < 1 || old > size) return false;
  if (old === size) return proof.length === 0 && oldRoot.equals(newRoot);
  const pair = sub(old, size, proof, true, oldRoot);
  return Boolean(pair) && pair[0].equals(oldRoot) && pair[1].equals(newRoot);
}
function sub(old, size, proof, whole, oldRoot) {
  if (old === size) {
    if (whole) return proof.length ? null : [oldRoot, oldRoot];
    return proof.length === 1 ? [proof[0], proof[0]] : null;
  }
  if (!proof.length) return null;
  const k = split(size), rest = proof.slice(0, -1), last = proof[proof.length - 1];
  if (old <= k) {
    const found = sub(old, k, rest, whole, oldRoot);
    return found && [found[0], nodeHash(found[1], last)];
  }
  const found = sub(old - k, size - k, rest, false, oldRoot);
  return found && [nodeHash(last, found[0]), nodeHash(last, found[1])];
}
