// A whole export, replayed (docs/protocol.md, section 15): files, trees, checkpoints, directory, every entry, what lies
// beside them. `audit` returns the classes of every log and the findings; nothing here decrypts.
import { pack, plain, unpack, Refused } from './msgpack.mjs';
import { consistent, leafHash, nodeHash, root, rootOfPath, sha, signedBytes, verifies } from './keys.mjs';
import { openCheckpoint, parseCheckpoint, parseNote, parseVkey, pathsOf, readBundle } from './notes.mjs';
import { parseEntry, splitEntry } from './entries.mjs';
import { Directory } from './directory.mjs';
import { Auditor } from './rulebook.mjs';

const hex = (buffer) => buffer.toString('hex');
const DAY = 86400000;

// One spelling of JSON, section 15.2
export const spell = (v) => {
  const walk = (item, depth) => {
    const pad = '\n' + ' '.repeat(depth + 1), end = '\n' + ' '.repeat(depth);
    if (Array.isArray(item)) return item.length ? `[${item.map((x) => pad + walk(x, depth + 1)).join(',')}${end}]` : '[]';
    if (item && typeof item === 'object') {
      const names = Object.keys(item).sort();
      return names.length ? `{${names.map((k) => `${pad}${walk(k)}: ${walk(item[k], depth + 1)}`).join(',')}${end}}` : '{}';
    }
    return JSON.stringify(item).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  };
  return `${walk(v, 0)}\n`;
};

export function parseManifest(data) {
  let m;
  try { m = JSON.parse(data.toString('ascii')); } catch { return null; }
  if (spell(m) !== data.toString('latin1') || m.format !== 'rsc-share export 1') return null;
  if (m.files.some((f, i) => !f.path.startsWith('export/') || f.path.split('/').some((part) => ['', '.', '..'].includes(part)) || (i && m.files[i - 1].path >= f.path))) return null;
  const rest = Object.fromEntries(Object.entries(m).filter(([key]) => key !== 'checksum' && key !== 'signature'));
  return sha(spell(rest)).toString('hex') === m.checksum ? m : null;
}

class Audit {
  constructor(noble, files, pin) { Object.assign(this, { noble, files, pin, findings: [], logs: new Map(), named: new Map() }); }
  find(code, log = '', index = null) { this.findings.push([code, log, index]); }

  run() {
    const m = parseManifest(this.files.get('manifest.json') ?? Buffer.alloc(0));
    if (!m) { this.find('manifest'); return this; }
    this.custody(m);
    for (const path of this.files.keys()) if (/^export\/logs\/[^/]+\/checkpoint$/.test(path)) this.open(path.slice(0, -'checkpoint'.length));
    const home = [...this.logs.values()].find((log) => log.origin.endsWith('/directory'));
    this.fold(home);
    this.charters(home);
    for (const log of this.logs.values()) this.head(log, home);
    for (const log of this.logs.values()) if (log !== home) this.prepare(log, home);
    for (const log of this.logs.values()) if (log !== home) this.walk(log, log.entries.length);
    for (const log of this.logs.values()) if (log !== home) this.orders(log);
    this.times();
    this.absent();
    this.settle();
    return this;
  }
  custody(m) {
    if (m.framework_id !== hex(this.pin)) this.find('wrong-framework');
    if (m.signature) {
      const key = Buffer.from(m.signature.key, 'hex'), data = signedBytes('manifest', m.signature.suite, Buffer.from(m.framework_id, 'hex'), Buffer.from(m.checksum, 'hex'));
      if (verifies(this.noble, m.signature.suite, key, data, Buffer.from(m.signature.signature, 'hex')) === false) this.find('manifest-signature');
    }
    const listed = new Set(m.files.map((f) => f.path));
    for (const f of m.files) if (this.files.get(f.path)?.length !== f.bytes || hex(sha(this.files.get(f.path))) !== f.sha256) this.find('file', f.path);
    for (const path of this.files.keys()) if (path.startsWith('export/') && !listed.has(path)) this.find('file', path);
  }
  open(folder) {
    const note = this.files.get(`${folder}checkpoint`).toString(), head = parseCheckpoint(parseNote(note).text);
    const bundles = pathsOf(head.size).filter((p) => p.startsWith('tile/entries/'));
    const entries = bundles.flatMap((p, i) => readBundle(this.files.get(folder + p), Math.min(256, head.size - 256 * i)));
    const leaves = entries.map(leafHash), log = { folder, note, origin: head.origin, head, entries, leaves, classes: {}, position: 0 };
    if (!root(leaves).equals(head.root)) this.find('root', head.origin);
    for (const p of pathsOf(head.size)) if (!p.startsWith('tile/entries/') && !this.files.get(folder + p)?.equals(this.tile(leaves, p))) this.find('file', folder + p);
    log.vkeys = this.files.get(`${folder}vkeys`).toString().split('\n').slice(0, -1);
    this.logs.set(head.origin, log);
  }
  tile(leaves, path) {
    const [, level, name, width] = /^tile\/(\d+)\/([x\d/]+?)(?:\.p\/(\d+))?$/.exec(path), index = Number(name.replace(/[x/]/g, ''));
    let row = leaves;
    for (let i = 0; i < 8 * Number(level); i++) row = Array.from({ length: row.length >> 1 }, (_, k) => nodeHash(row[2 * k], row[2 * k + 1]));
    return Buffer.concat(row.slice(index * 256, index * 256 + Number(width ?? 256)));
  }
  fold(home) {
    const bodies = new Map([...this.files].filter(([path]) => path.startsWith('export/charter/')).map(([, data]) => [hex(sha(data)), data]));
    this.directory = new Directory(this.noble, this.pin, bodies);
    home.entries.forEach((raw, index) => {
      if (this.stopped) return;
      const { first, stamp } = splitEntry(raw), code = this.directory.add(first, stamp[0]);
      if (code === 'body-missing') { this.stopped = true; this.directory.logged.pop(); this.directory.states.pop(); }
      if (code || stamp[1] !== index) this.find(code ?? 'stamp', home.origin, index);
      home.classes[code ? 'finding' : 'checked'] = (home.classes[code ? 'finding' : 'checked'] ?? 0) + 1;
    });
  }
  // Every charter of the directory has its four files, and there are no others
  charters(home) {
    const wanted = new Map();
    home.entries.forEach((raw) => {
      const [kind, content] = unpack(splitEntry(raw).first), said = kind === 'charter' ? plain(unpack(content)) : null;
      if (!said) return;
      const folder = `export/charter/${String(said.version).padStart(4, '0')}/`;
      wanted.set(`${folder}charter.toml`, hex(said.text)).set(`${folder}keys`, hex(said.keys)).set(`${folder}signatures`, hex(said.signatures)).set(`${folder}bundle`, null);
    });
    for (const [path, digest] of wanted) if (!this.files.has(path) || (digest && hex(sha(this.files.get(path))) !== digest)) this.find('file', path);
    for (const path of this.files.keys()) if (path.startsWith('export/charter/') && !wanted.has(path)) this.find('file', path);
  }
  // Section 13.3: keys that may have signed, and each member's newest counting cosignature
  head(log) {
    const view = this.viewKnowing(log.origin), relay = view.charter.relays[view.channel(log.origin).relay];
    const key = (id, name, type) => ({ name, type, raw: view.state.ring.get(id)[1] });
    const withId = (k) => ({ ...k, id: hex(sha(`${k.name}\n`, Buffer.of(k.type), k.raw).subarray(0, 4)) });
    const own = [key(relay.log_keys[0], log.origin, 1), key(relay.log_keys[1], log.origin, 6)].map(withId);
    const nodes = [...view.state.parties.values()].flatMap((p) => [...p.nodes].flatMap(([name, facts]) => facts.map((f) => [`${view.charter.framework}/${name}`, f])));
    const witnesses = nodes.flatMap(([name, f]) => [{ name, type: 4, raw: f.witness[0][1] }, { name, type: 6, raw: f.witness[1][1] }]).map(withId);
    Object.assign(log, { own, witnesses });
    try {
      const found = openCheckpoint(this.noble, log.note, own, witnesses), members = new Map();
      for (const [mark, time] of found.times) {
        const name = mark.split(' ')[0], code = name.split('/')[1];
        if (view.witnesses(time * 1000, log.origin)[code]?.includes(name)) members.set(code, Math.max(members.get(code) ?? 0, time * 1000));
      }
      if (members.size < view.charter.k && log.head.size) this.find('unwitnessed', log.origin);
      log.times = [...members.values()].sort((a, b) => b - a); log.quorum = log.times[view.charter.k - 1] ?? null; log.seen = log.quorum && log.times.at(-view.charter.k);
      const known = new Set([...own, ...witnesses].map((k) => `${k.name} ${k.id}`));
      if (parseNote(log.note).lines.some((line) => !known.has(`${line.name} ${line.id}`))) this.find('unknown-cosigner', log.origin);
    } catch (error) { if (!(error instanceof Refused)) throw error; this.find('checkpoint', log.origin); }
    const now = this.directory.logged.at(-1), right = [...own];
    for (const names of Object.values(view.witnesses(now, log.origin))) for (const name of names) {
      const f = view.current(name.split('/').slice(1).join('/'), now);
      right.push(withId({ name, type: 4, raw: f.witness[0][1] }), withId({ name, type: 6, raw: f.witness[1][1] }));
    }
    const closed = this.directory.at(this.directory.size).charter.closed.find((c) => c.log === log.origin);
    if (closed && log.head.size < closed.size) this.find('truncated', log.origin);
    else if (closed && hex(root(log.leaves.slice(0, closed.size))) !== closed.root) this.find('fork', log.origin);
    if (closed && log.head.size > closed.size) this.find('after-closing', log.origin);
    const given = log.vkeys.map(parseVkey), line = (k) => `${k.name} ${k.type} ${hex(k.raw)}`;
    if (given.map(line).join() !== right.map(line).join()) this.find('file', `${log.folder}vkeys`);
  }
  viewKnowing(origin) {
    for (let size = this.directory.size; size; size--) { const view = this.directory.at(size); if (view.channel(origin)) return view; }
    return null;
  }
  prepare(log, home) {
    log.auditor = new Auditor(this.directory, home.leaves, log.origin);
    log.auditor.found = (ref, asked) => {
      const other = this.logs.get(ref[0]);
      if (!other) return this.viewKnowing(ref[0]) ? { unseen: 'it refers to an entry of a log that is not in this export' } : undefined;
      if (!other.auditor) return undefined;
      if (ref[1] >= other.entries.length) return asked >= this.ended(other) ? { unseen: 'it refers to an entry behind the end of another log here' } : undefined;
      if (other === log) return other.auditor.known.get(`${ref[0]} ${ref[1]} ${hex(ref[2])}`);
      const there = this.there(other, Number(ref[1]));
      if (there?.stamp[0] > asked + 2 * this.directory.at(this.directory.size).charter.parameters.skew) return undefined;
      this.walk(other, Number(ref[1]) + 1);
      if (other.busy && other.position <= Number(ref[1])) return there && !there.hash.equals(ref[2]) ? undefined : { unseen: 'it refers to an entry that cannot be judged here' };
      return other.auditor.known.get(`${ref[0]} ${ref[1]} ${hex(ref[2])}`);
    };
    log.besides = new Map();
    for (const [path, data] of this.files) {
      if (!path.startsWith(`export/openings/${log.folder.split('/')[2]}/`)) continue;
      for (const [index, openings, statements] of unpack(data)) log.besides.set(index, [new Map(openings.map(([node, ...o]) => [node, o])), new Map(statements.map(([node, ...s]) => [node, s]))]);
    }
  }
  // Section 12.4: the earliest time at which an entry can have been logged that is not in this export
  ended(log) {
    let last = 0;
    try { last = parseEntry(log.entries.at(-1) ?? Buffer.alloc(0)).stamp[0]; } catch (error) { if (!(error instanceof Refused)) throw error; }
    return Math.max(last, (log.quorum ?? 0) - this.directory.at(this.directory.size).charter.parameters.skew);
  }
  // Section 12.5: an entry that is not judged yet
  there(log, index) {
    try { const raw = log.entries[index]; return { stamp: parseEntry(raw).stamp, hash: leafHash(splitEntry(raw).first) }; } catch (error) { if (!(error instanceof Refused)) throw error; return null; }
  }
  walk(log, end) {
    if (log.busy) return;
    log.busy = true;
    for (; log.position < Math.min(end, log.entries.length); log.position++) this.entry(log, log.position, log.entries[log.position]);
    log.busy = false;
  }
  entry(log, index, raw) {
    const [openings, statements] = log.besides.get(index) ?? [new Map(), new Map()];
    let h = null;
    try { h = plain(parseEntry(raw).header); } catch (error) { if (!(error instanceof Refused)) throw error; }
    const verdict = log.auditor.judge(raw, openings, h ? this.sizes(h) : new Map());
    const name = !verdict.admitted ? 'finding' : log.auditor.open[0] ?? 'checked';
    log.classes[name] = (log.classes[name] ?? 0) + 1;
    if (!verdict.admitted) this.find(verdict.code, log.origin, index);
    if (h) this.beside(log, index, h, openings, statements, verdict.admitted, splitEntry(raw).stamp);
  }
  // Section 15.4: recalls and erasures behind the end, in a tree that the log signed and that extends the exported one
  orders(log) {
    const path = `export/orders/${log.folder.split('/')[2]}`;
    if (!this.files.has(path)) return;
    try {
      const [note, proof, rows] = unpack(this.files.get(path)), { head } = openCheckpoint(this.noble, note.toString(), log.own, log.witnesses);
      if (!consistent(log.head.size, head.size, log.head.root, head.root, proof)) throw new Refused('consistency');
      for (const [index, raw, way] of rows) if (index < log.head.size || !rootOfPath(leafHash(raw), index, head.size, way)?.equals(head.root)) throw new Refused('inclusion');
      for (const [index, raw] of rows) this.order(log, head, index, raw, path);
    } catch (error) { if (!(error instanceof Refused)) throw error; this.find('file', path); }
  }
  order(log, head, index, raw, path) {
    const h = plain(parseEntry(raw).header), judge = Object.assign(log.auditor.fork(), { behind: { index, size: head.size, root: head.root }, found: log.auditor.found });
    if (!['recall', 'erasure'].includes(h.kind) || !judge.judge(raw, new Map(), new Map()).admitted) { this.find('file', path); return; }
    this.ordered(h);
  }
  ordered(h) {
    if (h.kind === 'recall') (this.recalled ??= new Set()).add(`${h.refs.target[0]} ${h.refs.target[1]}`);
    if (h.kind === 'erasure') for (const d of h.content.digests) (this.erased ??= new Set()).add(hex(d));
  }
  digests(h) { return [...h.parts.map((p) => p.digest), ...(h.kind === 'grant' ? h.content.nodes.map(([, , d]) => d) : [])].map(hex); }
  path(digest) { return `export/bodies/${digest.slice(0, 2)}/${digest.slice(2)}`; }
  sizes(h) {
    const found = new Map(h.parts.map((p) => [hex(p.digest), this.files.get(this.path(hex(p.digest)))?.length ?? p.size]));
    if (h.kind === 'grant') for (const [, , d] of h.content.nodes) found.set(hex(d), this.files.get(this.path(hex(d)))?.length ?? 0);
    return found;
  }
  beside(log, index, h, openings, statements, admitted, stamp) {
    const opens = (node, c) => openings.has(node) && sha('rsc-share/v1 to\0', openings.get(node)[0], pack([h.log, h.sender, node, openings.get(node)[1]])).equals(c);
    if (!h.to.every(([node, c]) => opens(node, c))) this.find('opening-missing', log.origin, index);
    const said = (sender, c) => { const s = statements.get(sender); return s && sha('rsc-share/v1 received\0', s[0], pack([h.log, h.sender, sender, s[1], s[2]])).equals(c); };
    if (h.kind === 'heartbeat' && !h.content.received.every(([sender, c]) => said(sender, c))) this.find('statement-missing', log.origin, index);
    if (admitted) this.ordered(h);
    const view = this.directory.at(stamp[1]), keep = view.channel(log.origin)?.retention_days ?? null;
    const ends = h.kind === 'grant' ? stamp[0] + view.charter.parameters.grant_life : Math.min(h.expires_at ?? Infinity, keep === null ? Infinity : stamp[0] + keep * DAY);
    for (const digest of this.digests(h)) (this.named.get(digest) ?? this.named.set(digest, []).get(digest)).push({ log: log.origin, index, ends, size: h.parts.find((part) => hex(part.digest) === digest)?.size ?? 0 });
    const skew = view.charter.parameters.skew;
    if (log.quorum !== null && index < log.head.size && stamp[0] > log.seen + skew) this.find('future-stamp', log.origin, index);
  }
  // Section 15.3: the newest time, and logs that end early
  times() {
    const logs = [...this.logs.values()], quorums = logs.map((log) => log.quorum).filter((time) => time);
    this.newest = quorums.length ? Math.max(...quorums) : Math.max(this.directory.logged.at(-1), ...logs.map((log) => log.auditor?.last?.[0] ?? 0));
    const { lag } = this.directory.at(this.directory.size).charter.parameters;
    const { closed } = this.directory.at(this.directory.size).charter;
    const ended = (log) => closed.some((c) => c.log === log.origin && c.size === log.head.size); // cosigned no more
    for (const log of logs) if (log.quorum && Math.max(...quorums) - log.quorum > lag && !ended(log)) this.find('ends-early', log.origin);
    const home = logs.find((log) => log.origin.endsWith('/directory'));
    if (home.quorum) this.directory.logged.forEach((time, index) => { if (time > home.seen + this.directory.at(index + 1).charter.parameters.skew) this.find('future-stamp', home.origin, index); });
  }
  // An entry with a finding is in that class, whoever found it
  settle() {
    for (const log of this.logs.values()) {
      const wrong = new Set(this.findings.filter(([, origin, index]) => origin === log.origin && index !== null).map(([, , index]) => index)).size;
      const { checked = 0, finding = 0, ...open } = log.classes;
      log.classes = Object.fromEntries([['checked', checked + finding - wrong], ['finding', wrong], ...Object.entries(open)].filter(([, count]) => count));
    }
  }
  absent() {
    const claimed = JSON.parse(this.files.get('export/bodies/absent.json') ?? '{}');
    const reasons = (digest, { log, index, ends }) => [[ends <= this.newest, 'expired'], [this.recalled?.has(`${log} ${index}`), 'recalled'], [this.erased?.has(digest), 'erased']].filter(([holds]) => holds).map(([, name]) => name);
    for (const digest of Object.keys(claimed)) if (!this.named.has(digest) || this.files.has(this.path(digest))) this.find('file', 'export/bodies/absent.json');
    for (const [digest, places] of this.named) for (const { log, index, ends, size } of places) {
      if (this.files.has(this.path(digest))) continue;
      if (size > 65536 && claimed[digest] === 'apart') continue; // a blob the exporter holds and did not put in
      const hold = reasons(digest, { log, index, ends });
      if (!hold.length) this.find('body-missing', log, index);
      else if (digest in claimed && !hold.includes(claimed[digest])) this.find('body-reason', log, index);
    }
    for (const [path, data] of this.files) {
      const found = /^export\/bodies\/([0-9a-f]{2})\/([0-9a-f]{62})$/.exec(path);
      if (found && (hex(sha(data)) !== found[1] + found[2] || !this.named.has(found[1] + found[2]))) this.find('file', path);
    }
  }
}

export const audit = (noble, files, pin) => new Audit(noble, files, pin).run();
