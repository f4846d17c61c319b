// Keys, signed bytes, the one Ed25519 rule, trees (docs/protocol.md, section 3).
import { createHash, createPublicKey, verify as nodeVerify } from 'node:crypto';

export const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest();
export const hex = (text) => Buffer.from(text, 'hex');
export const u = (n, size) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b.subarray(8 - size); };
export const keyId = (suite, raw) => sha(Buffer.of(suite), raw);
export const signedBytes = (kind, suite, framework, ...parts) =>
  Buffer.concat([Buffer.from(`rsc-share/v1 ${kind}\0`), Buffer.of(suite), framework, ...parts]);

const P = 2n ** 255n - 19n, D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const mod = (n) => ((n % P) + P) % P;
const power = (base, exponent) => { let result = 1n; for (let b = mod(base), e = exponent; e; e >>= 1n, b = mod(b * b)) if (e & 1n) result = mod(result * b); return result; };
const little = (bytes) => [...bytes].reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);

const invert = (n) => power(n, P - 2n);
const double = ([x, y]) => {
  const d = mod(D * x * x * y * y);
  return [mod(2n * x * y * invert(1n + d)), mod((y * y + x * x) * invert(1n - d))];
};

// Canonical, on the curve, and not of small order. The sign of x does not matter: P and -P have the same order.
function soundPoint(bytes) {
  const y = little(bytes) & ((1n << 255n) - 1n);
  if (y >= P) return false;
  const over = mod(y * y - 1n), under = mod(D * y * y + 1n);
  let x = mod(over * power(under, 3n) * power(over * power(under, 7n), (P - 5n) / 8n));
  if (mod(under * x * x) !== over) x = mod(x * power(2n, (P - 1n) / 4n));
  if (mod(under * x * x) !== over) return false;
  const [far] = [0, 1, 2].reduce((point) => double(point), [x, y]);
  return far !== 0n; // x = 0 only for the points of order 1 and 2, and 8P is one of these only if P is of small order
}
const sound = new Map();
const checked = (bytes) => {
  const key = bytes.toString('hex');
  if (!sound.has(key)) sound.set(key, soundPoint(bytes));
  return sound.get(key);
};

export function ed25519(raw, data, signature) {
  if (raw.length !== 32 || signature.length !== 64 || !checked(raw) || !checked(signature.subarray(0, 32))) return false;
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
