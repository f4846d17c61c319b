// Checks docs/vectors without a line of rsc_share: written from docs/protocol.md.
//
//   node check_vectors.mjs <docs/vectors> [<node_modules>]
//
// With @noble/post-quantum in <node_modules>, ML-DSA and ML-KEM are checked too; else those cases are counted as skipped.
import { createCipheriv, createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fromJson, pack, plain, unpack, Refused } from './verifier/msgpack.mjs';
import * as keys from './verifier/keys.mjs';
import * as notes from './verifier/notes.mjs';
import * as toml from './verifier/toml.mjs';
import { Policy } from './verifier/labels.mjs';
import { parseCharter } from './verifier/charter.mjs';
import { Directory } from './verifier/directory.mjs';
import { parseEntry, splitEntry } from './verifier/entries.mjs';
import { Auditor } from './verifier/rulebook.mjs';
import * as session from './verifier/sessions.mjs';
import { audit, parseManifest } from './verifier/export.mjs';

const { hex, sha, u } = keys;
const [folder, modules] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const noble = await loadNoble();
const counts = {}, wrong = [];
let file = '';

async function loadNoble() {
  const at = (name) => join(modules ?? '/nowhere', '@noble/post-quantum', name);
  if (!existsSync(at('ml-dsa.js'))) return null;
  const [dsa, kem] = await Promise.all(['ml-dsa.js', 'ml-kem.js'].map((name) => import(pathToFileURL(at(name)).href)));
  return { ml_dsa44: dsa.ml_dsa44, ml_dsa65: dsa.ml_dsa65, ml_kem768: kem.ml_kem768 };
}
function check(what, truth) {
  const count = (counts[file] ??= { right: 0, skipped: 0 });
  if (truth === null) count.skipped += 1;
  else if (truth) count.right += 1;
  else wrong.push(`${file}: ${what}`);
}
// true if `call` returns, false if it refuses; another error is a fault of this program
function runs(call) {
  try { call(); return true; } catch (error) { if (error instanceof Refused) return false; throw error; }
}
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const sortKeys = (v) => (Array.isArray(v) ? v.map(sortKeys) : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sortKeys(v[k])])) : v);
const equal = (a, b) => same(sortKeys(a), sortKeys(b));

// A log in order (or not), and entries of which each would stand next.
const admission = (v) => {
  for (const c of [...v.entries, ...v.cases]) {
    const { headerBytes, header, hash, leaf, raw } = parseEntry(hex(c.entry)), h = plain(header);
    check(`${c.why}: hashes`, hash.toString('hex') === c.header_hash && leaf.toString('hex') === c.leaf && raw.length > headerBytes.length);
    const refs = header.get('refs'), commits = header.get('parts').map((part) => part.get('commit'));
    const means = [h.log, h.sender, h.id, h.kind, h.type, header.get('label'), h.to.map(([node]) => node), h.purpose, h.precedence, h.expires_at, h.document, refs, commits, header.get('content')];
    check(`${c.why}: approval digest`, sha(pack(means)).toString('hex') === c.approval_digest);
  }
  for (const c of v.entries) {
    const h = plain(parseEntry(hex(c.entry)).header), opened = new Map(c.openings.map(([node, salt, n]) => [node, [hex(salt), n]]));
    check('openings', h.to.every(([node, commitment]) => { const [salt, n] = opened.get(node); return sha('rsc-share/v1 to\0', salt, pack([h.log, h.sender, node, n])).equals(commitment); }));
    for (const [node, salt, digest, state] of c.statements) {
      const [, commitment] = h.content.received.find(([sender]) => sender === node);
      check('statement', sha('rsc-share/v1 received\0', hex(salt), pack([h.log, h.sender, node, hex(digest), state])).equals(commitment));
    }
  }
  const d = new Directory(noble, hex(v.framework_id), new Map(Object.entries(v.bodies).map(([digest, body]) => [digest, hex(body)])));
  for (const raw of v.directory.map(hex)) { const { first, stamp } = splitEntry(raw); check('directory', d.add(first, stamp[0]) === null); }
  const auditor = new Auditor(d, v.directory.map((raw) => keys.leafHash(hex(raw))), v.log);
  const verdict = (who, c) => who.judge(hex(c.entry), new Map(c.openings.map(([node, salt, n]) => [node, [hex(salt), n]])), new Map(Object.entries(c.body_sizes)));
  for (const c of v.entries) { const found = verdict(auditor, c); check(`in order: ${JSON.stringify(found)}`, equal(found, c.verdict)); }
  for (const c of v.cases) { const found = verdict(auditor.fork(), c); check(`${c.why}: ${JSON.stringify(found)}`, equal(found, c.verdict)); }
};

const checks = {
  'encoding.json': (v) => {
    for (const c of v.cases) {
      check(`unpack ${c.why ?? c.packed}`, runs(() => unpack(hex(c.packed))) === c.ok);
      if (c.ok) check(`pack ${c.packed}`, pack(fromJson(c.value)).equals(hex(c.packed)));
    }
  },
  'names.json': (v) => {
    const node = /^[A-Z][A-Z0-9-]{1,31}\/[a-z0-9][a-z0-9-]{0,62}$/;
    const host = '[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?(:[1-9][0-9]{0,4})?';
    const grammar = {
      framework: /^[a-z0-9-]{1,63}$/, member: /^[A-Z][A-Z0-9-]{1,31}$/, group: /^@[a-z0-9][a-z0-9-]{0,62}$/, node, channel: /^[a-z0-9][a-z0-9-]{0,62}$/,
      origin: new RegExp(`^${host}/[a-z0-9-]{1,63}/[a-z0-9][a-z0-9-]{0,62}$`), type: /^[a-z][a-z0-9.-]*(\/[a-z][a-z0-9-]*)+\/[1-9][0-9]{0,4}$/,
    };
    for (const c of v.cases) check(`${c.kind} ${JSON.stringify(c.text)}`, grammar[c.kind].test(c.text) === c.ok);
    for (const c of v.ids) {
      const id = hex(c.id), ok = id.length === 16 && id[6] >> 4 === 7 && id[8] >> 6 === 2;
      check(c.what, ok === c.ok && (!ok || Number(id.readUIntBE(0, 6)) === c.time));
    }
  },
  'signatures.json': (v) => {
    for (const c of v.keys) check(`key id of suite ${c.suite}`, keys.keyId(c.suite, hex(c.raw)).equals(hex(c.key_id)));
    for (const c of v.signed_bytes) check(c.kind, keys.signedBytes(c.kind, c.suite, hex(c.framework_id), ...c.parts.map(hex)).equals(hex(c.bytes)));
    for (const c of v.signatures) {
      const found = keys.verifies(noble, c.suite, hex(c.key), hex(c.data), hex(c.signature));
      check(`suite ${c.suite}: ${c.why}`, found === null ? null : found === c.ok);
    }
    for (const c of v.ed25519_rule) check(`rule: ${c.signature.slice(0, 8)}`, keys.ed25519(hex(c.public), hex(c.message), hex(c.signature)) === c.accepted);
  },
  'merkle.json': (v) => {
    const leaves = v.entries.map((e) => keys.leafHash(hex(e)));
    check('leaves', same(leaves.map((l) => l.toString('hex')), v.leaves));
    for (const c of v.roots) check(`root of ${c.size}`, keys.root(leaves.slice(0, c.size)).toString('hex') === c.root);
    for (const c of v.inclusion) check(`inclusion ${c.index}/${c.size} ${c.why ?? ''}`, (keys.rootOfPath(hex(c.leaf), c.index, c.size, c.proof.map(hex))?.toString('hex') === c.root) === c.ok);
    for (const c of v.consistency) check(`consistency ${c.old}/${c.new} ${c.why ?? ''}`, keys.consistent(c.old, c.new, hex(c.old_root), hex(c.new_root), c.proof.map(hex)) === c.ok);
  },
  'notes.json': (v) => {
    const log = v.log_vkeys.map(notes.parseVkey), witnesses = v.witness_vkeys.map(notes.parseVkey);
    for (const c of v.cases) {
      let found = null;
      const ok = runs(() => { found = notes.openCheckpoint(noble, c.note, log, witnesses); });
      check(c.why, ok === c.ok);
      if (ok && c.ok && found) check(`${c.why}: times`, found.skipped ? null : c.cosignatures.every(([name, type, time]) => found.times.get(`${name} ${type}`) === time));
    }
    for (const c of v.proof_files) check(`proof file: ${c.why}`, runs(() => proofFile(c, log, witnesses)) === c.ok);
  },
  'tiles.json': (v) => {
    for (const c of v.paths) check(c.path, notes.tilePath(c.level, c.index, c.width) === c.path);
    for (const path of v.bad_paths) {
      const found = /^tile\/(entries|\d+)\/([x\d/]+?)(?:\.p\/(\d+))?$/.exec(path);
      const again = found && notes.tilePath(found[1] === 'entries' ? null : Number(found[1]), Number(found[2].replace(/[x/]/g, '')), Number(found[3] ?? 256));
      check(path, again !== path || found[3] === '0' || found[3] === '256');
    }
    for (const c of v.sizes) check(`size ${c.size}`, same(notes.pathsOf(c.size).filter((p) => c.size < 65536 || !/^tile\/(0|entries)\//.test(p)), c.paths));
    check('bundle', same(notes.readBundle(hex(v.bundle.bytes), v.bundle.entries.length).map((e) => e.toString('hex')), v.bundle.entries));
    for (const c of v.bad_bundles) check('bad bundle', !runs(() => notes.readBundle(hex(c.bytes), c.width)));
  },
  'sealing.json': (v) => {
    const f = v.fields, info = pack(['rsc-share/v1 grant', hex(f.framework_id), f.log, f.realm, f.sender, hex(f.grant_id), f.node, hex(f.prekey_id), hex(f.check)]);
    check('info', info.equals(hex(v.info)));
    check('check', sha('rsc-share/v1 grant key\0', hex(v.grant_key)).equals(hex(v.check)));
    for (const key of [v.prekey, v.other]) check('prekey id', keys.keyId(3, hex(key.public)).equals(hex(key.id)));
    for (const c of v.cases) check(c.why, noble ? openSealed(c, v) === c.ok : null);
  },
  'parts.json': (v) => {
    for (const c of v.cases) check(c.why, openPart(hex(v.grant_key), c) === c.ok);
    for (const [n, size] of v.padded) check(`padded ${n}`, padded(n) === size);
    for (const c of v.to) check(`to ${c.node} ${c.n}`, sha('rsc-share/v1 to\0', hex(c.salt), pack([c.log, c.sender, c.node, c.n])).toString('hex') === c.c);
    for (const c of v.received) check(`received ${c.state}`, sha('rsc-share/v1 received\0', hex(c.salt), pack([c.log, c.receiver, c.sender, hex(c.header_hash), c.state])).toString('hex') === c.c);
  },
  'blobs.json': (v) => {
    for (const c of v.blobs) check(`blob of ${c.length} bytes`, sealedBlob(v, c.length, c));
    for (const c of v.contents) check(c.why, runs(() => readContent(hex(c.content))) === c.ok);
  },
  'labels.json': (v) => {
    const p = policy(read('policy.json'));
    for (const c of v.wire) check('label', pack(fromJson(c.wire)).equals(hex(c.packed)) && sha(hex(c.packed)).toString('hex') === c.digest);
    for (const c of v.valid) check(`valid ${JSON.stringify(c.wire).slice(0, 80)}`, p.valid(c.wire, false) === c.reading && p.valid(c.wire, true, c.now) === c.writing);
    for (const c of v.mapped) check(`map ${c.wire.level} to ${c.to}`, equal(p.map(c.wire, c.to, Math.floor(c.time / 86400000)), c.mapped));
    for (const c of v.join) {
      check(`join ${JSON.stringify(c.a)} ${JSON.stringify(c.b)}`, equal(p.join(c.a, c.b, c.now), c.join));
      check(`dominates ${JSON.stringify(c.a)} ${JSON.stringify(c.b)}`, p.dominates(c.a, c.b, c.now) === c.a_dominates_b);
    }
  },
  'policy.json': (v) => {
    const p = policy(v);
    const later = v.bad_rows.filter((c) => /^TOML 1.1|character|by its escape|comment/.test(c.why));
    check('rows of TOML 1.1 and with invisible characters', later.length === 8);
    for (const c of later) check(c.why, !runs(() => toml.parse(c.rows)));
    check('bundle', pack(new Map(Object.entries(v.files))).equals(hex(v.bundle)) && sha(hex(v.bundle)).toString('hex') === v.digest);
    for (const c of v.decisions) {
      const found = p.decide(c.label, c.subject, c.action, c.facets);
      check(`${c.why}: ${found.code} ${found.row}`, found.code === c.code && found.row === c.row);
      if (c.action === 'receive') check(`${c.why}: releases`, same(p.requiredReleases(c.label, c.facets), c.required_releases));
    }
  },
  'charter.json': (v) => {
    const text = Buffer.from(v.text), said = toml.parse(v.text);
    check('digest', sha(text).toString('hex') === v.digest);
    check('framework', said.framework === v.says.framework && said.version === v.says.version && said.witness_quorum === v.says.witness_quorum);
    check('days', same([said.valid[0].day * 86400000, (said.valid[1].day + 1) * 86400000], v.says.valid));
    for (const [code, m] of Object.entries(v.says.members)) check(code, said.member[code].authority === m.authority && (said.member[code].duty ?? null) === m.duty && same(said.member[code].groups ?? [], m.groups));
    const ring = new Map(unpack(hex(v.keys), 4096).map(([suite, raw]) => [keys.keyId(suite, raw).toString('hex'), [suite, raw]]));
    const named = new Set(v.text.match(/\b[0-9a-f]{64}\b/g));
    check('keys', [...ring.keys()].every((id) => named.has(id)) && same([...ring.keys()], [...ring.keys()].sort()));
    const [suite, raw] = ring.get(v.signature.key_id), data = keys.signedBytes('charter', 2, Buffer.alloc(32), text);
    check('signature', keys.verifies(noble, suite, raw, data, hex(v.signature.signature)));
    check('reads', runs(() => parseCharter(text)));
    for (const c of v.refused) check(c.why, !runs(() => parseCharter(hex(c.text))));
  },
  'entries.json': (v) => {
    for (const c of v.good) {
      const found = parseEntry(hex(c.entry));
      check('entry', found.leaf.toString('hex') === c.leaf && found.hash.toString('hex') === c.header_hash);
      check('header', pack(fromJson(c.header)).equals(found.headerBytes) && same([found.stamp[0], found.stamp[1]], c.stamp));
    }
    for (const c of v.bad) check(c.why, !runs(() => parseEntry(hex(c.entry))));
    const [version, object, block, stamp] = unpack(hex(v.directory.entry));
    check('directory entry', version === 1 && object.equals(hex(v.directory.object)) && block.length === 0 && same(unpack(stamp), v.directory.stamp));
    const r = v.refusal, data = keys.signedBytes('refusal', 1, hex(r.framework_id), hex(r.statement));
    check('refusal', keys.ed25519(hex(r.log_key), data, hex(r.signature)) && unpack(hex(r.wire))[0].equals(hex(r.statement)));
    for (const c of v.frames) check(c.frame, pack(fromJson(c.value)).equals(hex(c.packed)) && pack(unpack(hex(c.packed))).equals(hex(c.packed)));
  },
  'directory.json': (v) => {
    for (const [digest, body] of Object.entries(v.bodies)) check('body', sha(hex(body)).toString('hex') === digest);
    const d = new Directory(noble, hex(v.framework_id), new Map(Object.entries(v.bodies).map(([digest, body]) => [digest, hex(body)])));
    v.entries.forEach((c, index) => {
      const { first, block, stamp } = splitEntry(hex(c.entry));
      check(`${c.why}: stamp`, block.length === 0 && same(stamp, [c.logged_at, index]));
      const parsed = runs(() => unpack(first)) ? unpack(first) : null;
      if (c.object.digest) check(`${c.why}: statement`, sha(`${parsed[0]}\0`, parsed[1]).toString('hex') === c.object.digest);
      const code = d.add(first, stamp[0]);
      check(`${c.why}: ${code} where ${c.code}`, code === c.code);
    });
    for (const q of v.questions) {
      const view = d.at(q.size), at = `at ${q.size}`, log = view.charter.channels.ct.log;
      check(`${at}: charter`, view.charter.version === q.charter_version);
      check(`${at}: active ${view.activeNodes(log, q.now)}`, same(view.activeNodes(log, q.now), q.active.ct) && same(view.activeNodes(view.charter.channels.play.log, q.now), q.active.play));
      for (const [node, code] of Object.entries(q.senders)) check(`${at}: ${node} ${view.sender(node, q.now, log, 'message')}`, view.sender(node, q.now, log, 'message') === code);
      for (const [node, id] of Object.entries(q.prekeys)) check(`${at}: prekey of ${node}`, (view.prekey(node, q.now)?.id ?? null) === id);
      check(`${at}: witnesses`, equal(view.witnesses(q.now, view.charter.directory), q.witnesses));
      check(`${at}: rows`, same(new Policy(view.state.files, view.groups(), view.addedRows()).rows.map((row) => row.id), q.rows));
    }
  },
  'admission.json': admission,
  'turning.json': admission,
  'sessions.json': (v) => {
    const greeting = v.conversation.find((c) => c.value[0] === 'token'), hello = v.conversation[0].value;
    const want = { host: v.host, framework: v.framework_id, nonce: hello[2].$bin, now: v.now, skew: v.skew, key: hex(v.key) };
    check('the token in the conversation', greeting.value[1] === v.token.text);
    check('the good token', session.token(v.token.text, want) === 'good');
    check('its claims', equal(JSON.parse(Buffer.from(v.token.text.split('.')[1], 'base64url').toString()), v.token.claims));
    for (const c of v.wrong_tokens) { const found = session.token(c.text, want); check(`token: ${c.why}: ${found}`, found === c.code); }
    for (const c of v.conversation) {
      check(`${c.value[0]} packs`, pack(fromJson(c.value)).equals(hex(c.frame)));
      check(`${c.value[0]} reads`, session.frame(hex(c.frame)) === 'good');
    }
    check('the order', session.order(v.conversation.map((c) => [c.from, unpack(hex(c.frame))])));
    for (const c of v.wrong_frames) { const found = session.frame(hex(c.frame)); check(`frame: ${c.why}: ${found}`, found === c.code); }
    // A node holds against a relay what its log signed: the checkpoint text is made from the head alone.
    const shown = (data) => {
      const body = unpack(data);
      if (!Array.isArray(body) || body.length !== 2 || !body.every((map) => map instanceof Map)) return null;
      for (const [log, head] of body[1]) {
        if (log.split('/').length !== 3 || !Array.isArray(head) || head.length !== 3) return null;
        const [size, root, signature] = head;
        if (typeof size !== 'number' || !Buffer.isBuffer(root) || root.length !== 32 || signature.length !== 64) return null;
        if (!keys.ed25519(hex(v.shown.log_key), notes.checkpointText(log, size, root), signature)) return null;
      }
      return body[1].size;
    };
    check('what a node was shown is signed by the log', shown(hex(v.shown.body)) === 1);
    for (const c of v.shown.wrong_bodies) check(`shown: ${c.why}`, shown(hex(c.body)) === null);
  },
  'export.json': (v) => {
    const files = new Map(Object.entries(v.files).map(([path, text]) => [path, hex(text)])), pin = hex(v.charter_digest);
    const found = audit(noble, files, pin);
    check(`findings: ${JSON.stringify(found.findings)}`, found.findings.length === 0);
    check('every entry', [...found.logs.values()].every((log) => log.classes.checked === log.entries.length));
    for (const c of v.bad_manifests) check(c.why, parseManifest(hex(c.manifest)) === null);
    for (const path of files.keys()) {
      if (!path.startsWith('export/') || path.endsWith('/bundle') || path.endsWith('absent.json')) continue;
      const other = new Map(files), data = Buffer.from(files.get(path));
      data[data.length >> 1] ^= 1; other.set(path, data);
      let caught = true;
      try { caught = audit(noble, other, pin).findings.length > 0; } catch { caught = true; }
      check(`a flip in ${path}`, caught);
    }
  },
  'auditing.json': (v) => {
    const base = Object.entries(v.files), pin = hex(v.charter_digest);
    for (const c of [{ why: 'as it is', files: {}, findings: v.findings, classes: v.classes }, ...v.spoilt]) {
      const files = new Map([...base, ...Object.entries(c.files)].map(([path, text]) => [path, text]));
      for (const [path, text] of [...files]) if (text === null) files.delete(path); else files.set(path, hex(text));
      const found = audit(noble, files, pin);
      const rows = new Set(found.findings.map(([code, log, index]) => JSON.stringify(code === 'file' ? ['file', '', null] : [code, log, index])));
      check(`${c.why}: ${[...rows]}`, same([...rows].sort(), c.findings.map((row) => JSON.stringify(row)).sort()));
      const classes = Object.fromEntries([...found.logs].map(([origin, log]) => [origin, log.classes]));
      check(`${c.why}: ${JSON.stringify(classes)}`, equal(classes, c.classes));
    }
  },
};

function policy(v) {
  const files = Object.fromEntries(Object.entries(v.files).map(([path, text]) => [path, toml.parse(text)]));
  const { parties, rows } = v.agreement;
  return new Policy(files, v.groups, toml.parse(rows).agreement.map((row) => ({ ...row, id: `${parties.join('+')}/${row.id}` })));
}

function proofFile(c, log, witnesses) {
  const at = c.file.indexOf('\n\n'), lines = c.file.slice(0, at).split('\n'), refuse = () => { throw new Refused('proof'); };
  if (lines.shift() !== 'c2sp.org/tlog-proof@v1') refuse();
  if (lines[0].startsWith('extra ')) lines.shift();
  const index = Number(/^index (0|[1-9][0-9]*)$/.exec(lines.shift())?.[1] ?? refuse());
  const { head } = notes.openCheckpoint(noble, c.file.slice(at + 2), log, witnesses);
  const found = keys.rootOfPath(hex(c.leaf), index, head.size, lines.map(notes.base64));
  if (!found || !found.equals(head.root)) refuse();
}

const padded = (n) => { if (n <= 1024) return 1024; const e = Math.floor(Math.log2(n)), step = 2 ** (e - (Math.floor(Math.log2(e)) + 1)); return Math.ceil(n / step) * step; };
const hmac = (key, ...data) => createHmac('sha256', key).update(Buffer.concat(data)).digest();
const expand = (key, info, size) => { let out = Buffer.alloc(0), last = out; for (let i = 1; out.length < size; i++) { last = hmac(key, last, info, Buffer.of(i)); out = Buffer.concat([out, last]); } return out.subarray(0, size); };

function openPart(gk, c) {
  const p = c.place, id = hex(p.id), commit = hex(c.commit), body = hex(c.body);
  const key = expand(gk, pack(['rsc-share/v1 part key', id, p.part, commit]), 32);
  const cipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAAD(pack([hex(p.framework_id), p.log, p.realm, p.sender, id, p.part]));
  cipher.setAuthTag(body.subarray(-16));
  let text;
  try { text = Buffer.concat([cipher.update(body.subarray(0, -16)), cipher.final()]); } catch { return false; }
  const end = 4 + text.readUInt32BE(0);
  if (text.length !== padded(end) || text.subarray(end).some((byte) => byte)) return false;
  const [salt, payload] = unpack(text.subarray(4, end));
  if (c.ok && (salt.toString('hex') !== c.salt || payload.toString('hex') !== c.payload)) return false;
  return sha('rsc-share/v1 commit\0', pack([p.log, p.sender, id, p.part]), salt, payload).equals(commit);
}

// Section 10.3: commitment, key, chunks, root
function sealedBlob(v, length, c) {
  const p = v.place, id = hex(p.id), salt = hex(v.salt), payload = Buffer.alloc(length), head = Buffer.alloc(8);
  for (let i = 0; i < 65536; i += 1) payload[i] = (i * i + Math.floor(i / 256)) % 256;
  for (let at = 65536; at < length; at += 65536) payload.copyWithin(at, 0, Math.min(65536, length - at));
  const commit = sha('rsc-share/v1 commit\0', pack([p.log, p.sender, id, p.part]), salt, payload);
  const key = expand(hex(v.key), pack(['rsc-share/v1 blob key', id, p.part, commit]), 32);
  const aad = pack([hex(p.framework_id), p.log, p.realm, p.sender, id, p.part]);
  head.writeBigUInt64BE(BigInt(length));
  const plain = Buffer.alloc(Math.max(65536, padded(40 + length)));
  Buffer.concat([head, salt, payload]).copy(plain);
  const count = Math.ceil(plain.length / 1048576), leaves = [];
  let size = 0;
  for (let i = 0; i < count; i += 1) {
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(i, 7);
    nonce[11] = i === count - 1 ? 1 : 0;
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad);
    const chunk = Buffer.concat([cipher.update(plain.subarray(i * 1048576, (i + 1) * 1048576)), cipher.final(), cipher.getAuthTag()]);
    leaves.push(keys.leafHash(chunk));
    size += chunk.length;
  }
  const root = (list) => { if (list.length === 1) return list[0]; let k = 1; while (2 * k < list.length) k *= 2; return sha(Buffer.of(1), root(list.slice(0, k)), root(list.slice(k))); };
  return commit.toString('hex') === c.commit && size === c.size && same(leaves.map((l) => l.toString('hex')), c.leaves) && root(leaves).toString('hex') === c.digest;
}
// The plain text of part 0
function readContent(data) {
  const refuse = (holds) => { if (holds) throw new Refused('content'); };
  const value = unpack(data);
  refuse(!Array.isArray(value) || value.length < 2 || value.length > 3 || !Buffer.isBuffer(value[1]));
  if (value.length === 2) return;
  refuse(value[0] !== 0 || !Array.isArray(value[2]) || !value[2].length || value[2].length > 15);
  for (const [name, media, length, key] of value[2]) {
    refuse(!name.length || Buffer.byteLength(name) > 255 || name === '.' || name === '..' || name !== name.trim() || /[/\\:*?"<>|\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(name));
    refuse(!/^[!-.0-~]+\/[!-.0-~]+$/.test(media) || media.length > 127 || !Number.isInteger(length) || length < 0 || !Buffer.isBuffer(key) || key.length !== 32);
  }
}

// RFC 9180 base mode with KEM 0x647a, KDF 0x0001, AEAD 0x0002
function openSealed(c, v) {
  const key = [v.prekey, v.other].find((k) => k.id === c.prekey), sealed = hex(c.sealed), secret = hex(key.secret);
  if (sealed.length !== 1168) return false;
  const { secretKey } = noble.ml_kem768.keygen(secret.subarray(0, 64)), one = Buffer.from(noble.ml_kem768.decapsulate(sealed.subarray(0, 1088), secretKey));
  const own = createPrivateKey({ key: Buffer.concat([hex('302e020100300506032b656e04220420'), secret.subarray(64)]), format: 'der', type: 'pkcs8' });
  const other = createPublicKey({ key: Buffer.concat([hex('302a300506032b656e032100'), sealed.subarray(1088, 1120)]), format: 'der', type: 'spki' });
  const two = diffieHellman({ privateKey: own, publicKey: other });
  const shared = createHash('sha3-256').update(Buffer.concat([one, two, sealed.subarray(1088, 1120), hex(key.public).subarray(1184), hex('5c2e2f2f5e5c')])).digest();
  const suite = Buffer.concat([Buffer.from('HPKE'), u(0x647a, 2), u(1, 2), u(2, 2)]);
  const extract = (salt, label, ikm) => hmac(salt, Buffer.from('HPKE-v1'), suite, Buffer.from(label), ikm);
  const labeled = (prk, label, context, size) => expand(prk, Buffer.concat([u(size, 2), Buffer.from('HPKE-v1'), suite, Buffer.from(label), context]), size);
  const none = Buffer.alloc(0), context = Buffer.concat([Buffer.of(0), extract(none, 'psk_id_hash', none), extract(none, 'info_hash', hex(c.info))]);
  const prk = extract(shared, 'secret', none), cipher = createDecipheriv('aes-256-gcm', labeled(prk, 'key', context, 32), labeled(prk, 'base_nonce', context, 12));
  cipher.setAuthTag(sealed.subarray(-16));
  try {
    const gk = Buffer.concat([cipher.update(sealed.subarray(1120, -16)), cipher.final()]);
    return sha('rsc-share/v1 grant key\0', gk).equals(hex(c.info).subarray(-32));
  } catch { return false; }
}

for (file of Object.keys(checks)) checks[file](read(file));
for (const [name, count] of Object.entries(counts)) console.log(`${name}: ${count.right} right${count.skipped ? `, ${count.skipped} skipped (no @noble/post-quantum)` : ''}`);
for (const what of wrong) console.error(`WRONG ${what}`);
process.exit(wrong.length ? 1 : 0);
