// Session frames and tokens, from docs/protocol.md section 14.
import { ed25519 } from './keys.mjs';
import { unpack, Refused } from './msgpack.mjs';

const HOST = /^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?(:[1-9][0-9]{0,4})?$/;
const ORIGIN = /^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?(:[1-9][0-9]{0,4})?\/[a-z0-9-]{1,63}\/[a-z0-9][a-z0-9-]{0,62}$/;
const NODE = /^[A-Z][A-Z0-9-]{1,31}\/[a-z0-9][a-z0-9-]{0,62}$/;
const CALLS = ['logs', 'submit', 'submit_object', 'read', 'witnessed', 'bodies', 'offers', 'cosign', 'changed'];
const RANKS = ['FLASH', 'IMMEDIATE', 'PRIORITY', 'ROUTINE'];
const TAKEN = ['what', 'code', 'advice', 'retry_after', 'evidence', 'plan', 'self'];
const FRAME = 131072, MESSAGE = 16 << 20, WINDOW = 2 * FRAME;

const int = (low, high) => (v) => (typeof v === 'bigint' || Number.isInteger(v)) && v >= low && v <= high;
const text = (low, high) => (v) => typeof v === 'string' && [...v].length >= low && [...v].length <= high && !/[\x00-\x1f\x7f]/.test(v);
const bin = (low, high) => (v) => v instanceof Uint8Array && v.length >= low && v.length <= high;
const one = (...all) => (v) => all.includes(v);
const size = int(1, MESSAGE), id = int(1, 2 ** 53), answerId = int(0, 2 ** 53), piece = bin(1, FRAME);
const isMap = (v) => v instanceof Map;
const limits = (v) => isMap(v) && v.size === 2 && int(FRAME, 2 ** 32)(v.get('bytes')) && int(1, 1024)(v.get('calls'));
const heads = (v) => isMap(v) && v.size <= 256 && [...v].every(([log, n]) => log.length <= 255 && ORIGIN.test(log) && int(0, Infinity)(n));
const field = ([name, v]) => /^[\p{L}_][\p{L}\p{N}_]{0,39}$/u.test(name) && !TAKEN.includes(name)
  && (v === null || typeof v === 'boolean' || int(-Infinity, Infinity)(v) || (typeof v === 'string' && [...v].length <= 1000) || bin(0, 255)(v));
const fault = (v) => Array.isArray(v) && v.length === 5 && ['refused', 'unavailable', 'remote'].includes(v[0]) && text(1, 40)(v[1])
  && text(0, 1000)(v[2]) && text(0, 1000)(v[3]) && isMap(v[4]) && v[4].size <= 16 && [...v[4]].every(field);
const fits = (at) => (f) => f[at + 1].length <= f[at];
const FORMS = {
  hello: [[int(0, Infinity), bin(32, 32), (v) => typeof v === 'string' && HOST.test(v), int(0, Infinity), limits]],
  token: [[text(1, 1024), int(WINDOW, MESSAGE), heads]],
  call: [[id, one(...CALLS), one(...RANKS), size, piece], fits(4)],
  answer: [[answerId, size, piece], fits(2)],
  more: [[answerId, piece]], fault: [[id, fault]], cancel: [[id]], credit: [[int(1, MESSAGE)]], goaway: [[text(0, 200)]], error: [[fault]],
};

// 'good', or the code it is refused with
export function frame(data) {
  let f;
  try { f = unpack(data); } catch (error) { if (error instanceof Refused) return 'malformed'; throw error; }
  const form = Array.isArray(f) && Object.hasOwn(FORMS, f[0]) ? FORMS[f[0]] : null;
  if (!form || f.length !== form[0].length + 1) return 'malformed';
  if (f[0] === 'hello' && int(0, Infinity)(f[1]) && f[1] !== 1) return 'version';
  return form[0].every((good, i) => good(f[i + 1])) && (!form[1] || form[1](f)) ? 'good' : 'malformed';
}

const KEYS = ['aud', 'exp', 'framework', 'instance', 'iss', 'nonce', 'use'];
const hexOf = (n) => (v) => typeof v === 'string' && v.length === 2 * n && /^[0-9a-f]*$/.test(v);
export function token(given, want) {
  const parts = given.split('.');
  if (given.length > 1024 || parts.length !== 3) return 'malformed';
  const raw = parts.map((p) => Buffer.from(p, 'base64url'));
  if (!raw.every((b, i) => b.toString('base64url') === parts[i]) || raw[0].toString() !== '{"alg":"EdDSA","typ":"JWT"}') return 'malformed';
  let c;
  try { c = JSON.parse(raw[1]); } catch { return 'malformed'; }
  if (JSON.stringify(c, KEYS) !== raw[1].toString() || Object.keys(c).length !== KEYS.length) return 'malformed';
  if (!HOST.test(c.aud) || !NODE.test(c.iss) || !int(0, 2 ** 40)(c.exp) || !hexOf(32)(c.framework) || !hexOf(16)(c.instance)) return 'malformed';
  if ((c.nonce !== null && !hexOf(32)(c.nonce)) || !['session', 'read'].includes(c.use) || raw[2].length !== 64) return 'malformed';
  const timely = want.now - want.skew < c.exp * 1000 && c.exp * 1000 <= want.now + want.skew + 60000;
  if (c.aud !== want.host || c.framework !== want.framework || c.use !== 'session' || c.nonce !== want.nonce || !timely) return 'token';
  return ed25519(want.key, Buffer.from(`${parts[0]}.${parts[1]}`), raw[2]) ? 'good' : 'bad-signature';
}

// Whether a conversation keeps to the table of states: every answer is to an open call, nothing comes too early.
const TAKES = {
  relay: { greeting: ['token'], proving: [], open: ['call', 'more', 'cancel', 'credit'], draining: ['call', 'more', 'cancel', 'credit'], closed: [] },
  node: { greeting: ['hello', 'error'], proving: ['answer', 'more', 'error'], open: ['answer', 'more', 'fault', 'goaway', 'error'],
    draining: ['answer', 'more', 'fault', 'goaway', 'error'], closed: [] },
};
export function order(frames) {
  const state = { relay: 'greeting', node: 'greeting' }, open = new Map(), arriving = new Map();
  for (const [from, f] of frames) {
    const to = from === 'relay' ? 'node' : 'relay', [kind, number] = f;
    if (!TAKES[to][state[to]].includes(kind)) return false;
    if (kind === 'hello') state.node = 'proving';
    if (kind === 'token') { state.relay = 'proving'; open.set(0, true); }
    if (kind === 'goaway') state.relay = state.node = 'draining';
    if (kind === 'error') state.relay = state.node = 'closed';
    if (kind === 'call') { if (open.has(number)) return false; open.set(number, f[4] === f[5].length); arriving.set(`relay ${number}`, f[4] - f[5].length); }
    if (kind === 'answer') { if (!open.get(number)) return false; arriving.set(`node ${number}`, f[2] - f[3].length); }
    if (kind === 'more') {
      const left = arriving.get(`${to} ${number}`) - f[2].length;
      if (!(left >= 0)) return false;
      arriving.set(`${to} ${number}`, left);
      if (to === 'relay' && left === 0) open.set(number, true);
    }
    if (kind === 'fault' && !open.delete(number)) return false;
    if ((kind === 'answer' || kind === 'more') && to === 'node' && arriving.get(`node ${number}`) === 0) {
      open.delete(number);
      if (number === 0) state.relay = state.node = 'open';
    }
  }
  return state.node === 'closed';
}
