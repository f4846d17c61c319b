// The fold over the directory and the questions it answers (docs/protocol.md, sections 4 and 5).
import { Refused, unpack, plain } from './msgpack.mjs';
import { keyId, sha, signedBytes, verifies } from './keys.mjs';
import { parseCharter } from './charter.mjs';
import * as toml from './toml.mjs';

class Void extends Error { constructor(code) { super(code); this.code = code; } }
const fail = (code) => { throw new Void(code); };
const rule = (truth, code) => truth || fail(code);
const memberOf = (name) => name.split('/')[0];
const text = (buffer) => buffer.toString('hex');
const hexKey = ([suite, raw]) => text(keyId(suite, raw));
const NODE = /^[A-Z][A-Z0-9-]{1,31}\/[a-z0-9][a-z0-9-]{0,62}$/;
const DUTY_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const KINDS = ['charter', 'certificate', 'revocation', 'prekey', 'agreement', 'restriction'];
const SHAPES = {
  charter: ['keys', 'signatures', 'text', 'version'], revocation: ['issued', 'name', 'reason', 'subject', 'suspect_from'], prekey: ['created', 'node', 'public'],
  agreement: ['id', 'issued', 'parties', 'rows'], restriction: ['id', 'issued', 'member', 'rows'],
  node: ['accreditation', 'issued', 'name', 'realms', 'role', 'signing', 'subject', 'valid', 'witness'], officer: ['issued', 'key', 'name', 'powers', 'subject', 'valid'],
};
const copy = (v) => {
  if (v instanceof Map) return new Map([...v].map(([key, item]) => [key, copy(item)]));
  if (Array.isArray(v)) return v.map(copy);
  if (v && typeof v === 'object' && Object.getPrototypeOf(v) === Object.prototype && v.fact) return Object.fromEntries(Object.entries(v).map(([key, item]) => [key, copy(item)]));
  return v;
};

export class Directory {
  constructor(noble, pin, bodies) {
    Object.assign(this, { noble, framework: pin, bodies, logged: [], states: [], prekeys: [], owners: new Map() });
  }
  get size() { return this.logged.length; }
  sizeBefore(time) { let n = 0; while (n < this.logged.length && this.logged[n] < time) n += 1; return n; }

  // The code of the rule that makes the object void, null if it applies.
  add(object, loggedAt) {
    const before = this.states.at(-1) ?? null, index = this.size;
    let code = null, after = before;
    try {
      rule(!index || loggedAt >= this.logged[index - 1], 'stamp');
      after = this.step(object, before, loggedAt, index);
    } catch (error) {
      if (error instanceof Void) code = error.code;
      else if (error instanceof Refused) code = 'malformed';
      else throw error;
    }
    this.logged.push(Math.max(loggedAt, this.logged[index - 1] ?? loggedAt));
    this.states.push(after);
    return code;
  }

  step(data, state, now, index) {
    rule(data.length <= 60000, 'malformed');
    const [kind, content, rows, ...more] = unpack(data);
    rule(!more.length && Buffer.isBuffer(content) && content.length && Array.isArray(rows) && rows.length <= 16 && KINDS.includes(kind), 'malformed');
    const signatures = new Map(rows.map(([id, signature]) => [text(id), signature]));
    rule(signatures.size === rows.length && [...signatures.keys()].every((id, i, all) => !i || all[i - 1] < id), 'malformed');
    rule(rows.every(([, signature]) => signature.length >= 64 && signature.length <= 4096), 'malformed');
    const found = unpack(content);
    rule(found instanceof Map, 'malformed');
    const shape = kind === 'certificate' ? SHAPES[found.get('subject') === 'officer' ? 'officer' : 'node'] : SHAPES[kind];
    rule(shape.length === found.size && shape.every((key) => found.has(key)), 'malformed');
    const o = { kind, content, signatures, statement: text(sha(`${kind}\0`, content)), now, index, said: plain(found) };
    if (!state) { rule(kind === 'charter', 'wrong-charter'); return this.claim(this.begin(o)); }
    if (kind === 'prekey') { this.prekey(state, o); return state; }
    const next = { ...state, parties: copy(state.parties), agreements: new Map(state.agreements), index };
    return this.claim(this[kind](next, o));
  }

  signedBy(o, key) {
    const signature = o.signatures.get(hexKey(key)) ?? fail('unsigned');
    rule(verifies(this.noble, key[0], key[1], signedBytes(o.kind, key[0], this.framework, o.content), signature) !== false, 'bad-signature');
  }
  only(o, ...keys) { const allowed = keys.map(hexKey); rule([...o.signatures.keys()].every((id) => allowed.includes(id)), 'unsigned'); }
  claim(state) {
    const mine = new Map();
    for (const [key, owner] of state.claims ?? []) {
      for (const id of key[0] === 2 ? [hexKey(key), hexKey([1, key[1].subarray(0, 32)])] : [hexKey(key)]) {
        const other = this.owners.get(id) ?? mine.get(id);
        rule(other === undefined || (other === owner && !mine.has(id)), 'key-reuse');
        mine.set(id, owner);
      }
    }
    for (const [id, owner] of mine) this.owners.set(id, owner);
    return { ...state, claims: [] };
  }

  // --- charters

  body(digest) { return this.bodies.get(text(digest)) ?? fail('body-missing'); }
  version(o) {
    const data = this.body(o.said.text), keys = this.body(o.said.keys), signed = this.body(o.said.signatures);
    let charter;
    try { charter = parseCharter(data); } catch (error) { if (error instanceof Refused) fail('charter'); throw error; }
    rule(charter.version === o.said.version, 'charter');
    const ring = new Map(unpack(keys, 4096).map((key) => [hexKey(key), key]));
    const suites = (owner, fingerprint) => (owner.startsWith('authority') ? 2 : /^(witness|log)/.test(owner) ? (this.second(charter, fingerprint) ? 4 : 1) : 1);
    rule(ring.size === charter.owners.size && [...charter.owners].every(([id, owner]) => ring.get(id)?.[0] === suites(owner, id)), 'keys');
    return { charter, ring, signatures: new Map(unpack(signed, 512).map(([id, s]) => [text(id), s])) };
  }
  second(charter, id) {
    return Object.values(charter.relays).some((r) => r.log_keys[1] === id) || Object.values(charter.members).some((m) => Object.values(m.nodes).some((n) => n.witness[1] === id));
  }
  count(v, [part, all], signers) {
    const have = v.charter.states.filter((m) => !m.suspended && signers.has(m.authority)).length;
    return have >= Math.ceil((part * v.charter.states.length) / all);
  }
  quorum(old, v, framework) {
    const known = new Set([...Object.values(v.charter.members), ...Object.values(old?.charter.members ?? {})].map((m) => m.authority));
    for (const [id, signature] of v.signatures) {
      const key = rule(known.has(id), 'quorum') && (v.ring.get(id) ?? old.ring.get(id));
      rule(verifies(this.noble, key[0], key[1], signedBytes('charter', key[0], framework, v.charter.text), signature) !== false, 'bad-signature');
    }
    const signers = new Set(v.signatures.keys());
    if (!old) return rule(Object.values(v.charter.members).every((m) => signers.has(m.authority)), 'quorum');
    const [a, b] = [old.charter, v.charter], nodes = (m) => JSON.stringify(m.nodes);
    for (const m of Object.values(b.members)) {
      const was = a.members[m.code], same = was && was.authority === m.authority && was.duty === m.duty && nodes(was) === nodes(m) && (was.role === m.role || m.role !== 'member');
      rule(same || signers.has(m.authority), 'quorum');
    }
    const lower = (x, y) => x[0] * y[1] < y[0] * x[1];
    const takes = a.states.some((m) => b.members[m.code]?.role !== 'member') || lower(b.quorum, a.quorum) || lower(b.remove, a.remove)
      || Object.values(a.members).some((m) => b.members[m.code] && b.members[m.code].authority !== m.authority && !signers.has(m.authority));
    return rule(this.count(old, takes ? a.remove : a.quorum, signers) && this.count(v, b.quorum, signers), 'quorum');
  }
  succeeds(old, v) {
    const [a, b] = [old.charter, v.charter];
    rule(b.version === a.version + 1, 'version'); rule(b.previous === text(a.digest), 'previous'); rule(a.framework === b.framework, 'framework');
    this.quorum(old, v, this.framework);
    rule(Object.entries(a.relays).every(([host, r]) => !b.relays[host] || String(b.relays[host].log_keys) === String(r.log_keys)), 'log-keys');
    rule(Object.values(a.channels).every((c) => !b.channels[c.name] || b.channels[c.name].realm === c.realm), 'realm');
    rule(a.closed.every((c) => b.closed.some((d) => d.log === c.log && d.size === c.size && d.root === c.root)), 'closed');
    rule([...a.live].every((log) => b.live.has(log) || b.closed.some((c) => c.log === log)), 'closed');
  }
  enters(v, o, state) {
    rule(v.charter.valid[0] <= o.now && o.now < v.charter.valid[1], 'not-in-force');
    if (state?.charter.policy === v.charter.policy) return state.files;
    const files = plain(unpack(this.body(Buffer.from(v.charter.policy, 'hex'))));
    return Object.fromEntries(Object.entries(files).filter(([path]) => path.endsWith('.toml')).map(([path, data]) => [path, toml.parse(data)]));
  }
  claims(v) { return [...v.charter.owners].map(([id, owner]) => [v.ring.get(id), owner]); }
  begin(o) {
    rule(o.said.text.equals(this.framework) && o.said.version === 1, 'wrong-charter');
    this.only(o);
    const v = this.version(o);
    this.quorum(null, v, Buffer.alloc(32));
    const files = this.enters(v, o, null), parties = new Map();
    for (const code of Object.keys(v.charter.members)) parties.set(code, this.rebase(this.nobody(), null, v, code, o));
    return { charter: v.charter, ring: v.ring, files, parties, agreements: new Map(), index: o.index, claims: this.claims(v) };
  }
  charter(state, o) {
    this.only(o);
    const at = this.states.findIndex((s) => s && s.charter.version === o.said.version);
    if (at > 0 && this.states[at].charter.version > 1 && !this.states[at].charter.digest.equals(o.said.text)) {
      const before = this.states.findLast((s) => s.charter.version === o.said.version - 1);
      this.succeeds(before, this.version(o));
      fail('charter-fork');
    }
    const v = this.version(o);
    this.succeeds(state, v);
    const files = this.enters(v, o, state), parties = new Map();
    for (const code of Object.keys(v.charter.members)) parties.set(code, this.rebase(state.parties.get(code) ?? this.nobody(), state, v, code, o));
    for (const [code, party] of state.parties) if (!parties.has(code)) parties.set(code, { ...this.nobody(), restrictions: party.restrictions });
    const agreements = new Map([...state.agreements].filter(([, a]) => a.parties.every((code) => code in v.charter.members)));
    return { charter: v.charter, ring: v.ring, files, parties, agreements, index: o.index, claims: this.claims(v) };
  }
  nobody() { return { fact: true, nodes: new Map(), officers: new Map(), revocations: new Map(), restrictions: new Map() }; }
  rebase(party, old, v, code, o) {
    const listed = v.charter.members[code].nodes, same = old?.charter.members[code]?.authority === v.charter.members[code].authority;
    const stands = (f) => same || f.revoked || f.from <= o.now;
    const matches = (f, spec) => spec && hexKey(f.signing) === spec.signing && String(f.witness.map(hexKey)) === String(spec.witness) && String(f.realms) === String(spec.realms) && f.role === spec.role && JSON.stringify(f.accreditation) === JSON.stringify(spec.accreditation);
    const nodes = new Map();
    for (const [name, facts] of party.nodes) nodes.set(name, facts.filter((f) => (f.first ? matches(f, listed[name]) || f.revoked : stands(f))));
    for (const [name, spec] of Object.entries(listed)) {
      const facts = nodes.get(name) ?? [];
      if (facts.some((f) => f.first && matches(f, spec))) continue;
      const signing = v.ring.get(spec.signing), revoked = (party.nodes.get(name) ?? []).some((f) => f.revoked && hexKey(f.signing) === spec.signing);
      nodes.set(name, [...facts, { fact: true, name, signing, witness: spec.witness.map((id) => v.ring.get(id)), realms: spec.realms, accreditation: spec.accreditation, role: spec.role, issued: o.now, from: o.now, until: Infinity, first: true, revoked, statement: '', countersigned: false }]);
    }
    const officers = new Map([...party.officers].map(([name, facts]) => [name, facts.filter(stands)]));
    for (const map of [nodes, officers]) for (const [name, facts] of map) if (!facts.length) map.delete(name);
    return { ...party, nodes, officers };
  }

  // --- certificates and the rest

  authority(state, code) { return state.ring.get((state.charter.members[code] ?? fail('unknown-member')).authority); }
  mayAdd(state, o) { rule(state.charter.valid[0] <= o.now && o.now < state.charter.valid[1], 'charter-expired'); }
  notAhead(state, issued, o) { rule(Number.isInteger(issued) && issued <= o.now + state.charter.parameters.skew, 'issued'); }
  current(facts, now) { return (facts ?? []).findLast((f) => !f.revoked && f.from <= now && now < f.until); }

  certificate(state, o) {
    const s = o.said, officer = s.subject === 'officer';
    rule(officer || s.subject === 'node', 'malformed'); rule(NODE.test(s.name), 'malformed');
    const keys = officer ? [s.key] : [s.signing, ...s.witness], suites = officer ? [1] : [1, 1, 4];
    rule(keys.length === suites.length && keys.every(([suite], i) => suite === suites[i]) && s.valid[0] < s.valid[1], 'malformed');
    this.mayAdd(state, o);
    const code = memberOf(s.name), authority = this.authority(state, code), party = state.parties.get(code), own = officer ? party.officers : party.nodes;
    this.signedBy(o, authority);
    const countersigned = this.countersigned(party, o, authority);
    const facts = [...(party.nodes.get(s.name) ?? []), ...(party.officers.get(s.name) ?? [])], before = facts.find((f) => f.statement === o.statement);
    this.room(party, s.name); rule(facts.length < 64, 'limit');
    if (!before) {
      rule(s.valid[1] > o.now, 'expired'); this.notAhead(state, s.issued, o);
      rule(!facts.some((f) => !f.first && f.issued > s.issued) && !(party.revocations.get(s.name) ?? []).some((r) => r.issued >= s.issued), 'issued');
    } else rule(!before.countersigned && countersigned && !before.revoked, 'duplicate');
    rule(!(officer ? party.nodes : party.officers).has(s.name), 'name');
    const live = new Set([...own].filter(([, list]) => list.some((f) => !f.revoked && o.now < f.until)).map(([name]) => name)).add(s.name);
    rule(live.size <= (officer ? 256 : state.charter.parameters.nodes_max), 'limit');
    const from = Math.max(s.valid[0], o.now + (countersigned ? 0 : state.charter.parameters.node_delay));
    const fact = { ...s, fact: true, name: s.name, issued: s.issued, from, until: s.valid[1], revoked: false, first: false, countersigned, statement: o.statement };
    own.set(s.name, [...(own.get(s.name) ?? []).filter((f) => f.statement !== o.statement), fact]);
    const claims = officer ? [[s.key, `officer ${s.name}`]] : [[s.signing, `signing ${s.name}`], ...s.witness.map((key) => [key, `witness ${s.name}`])];
    return { ...state, claims };
  }
  room(party, name) {
    const names = new Set([...party.nodes.keys(), ...party.officers.keys(), ...party.revocations.keys()]);
    rule(names.has(name) || names.size < 512, 'limit');
  }
  countersigned(party, o, authority) {
    const others = [...o.signatures.keys()].filter((id) => id !== hexKey(authority));
    if (!others.length) return false;
    for (const facts of party.nodes.values()) {
      const fact = this.current(facts, o.now);
      if (fact && others.includes(hexKey(fact.signing))) { this.only(o, authority, fact.signing); this.signedBy(o, fact.signing); return true; }
    }
    return fail('unsigned');
  }
  byOwn(state, o, code) {
    const authority = this.authority(state, code), duty = state.charter.members[code].duty;
    if (duty && !o.signatures.has(hexKey(authority))) { const key = state.ring.get(duty); this.only(o, key); this.signedBy(o, key); return 'duty'; }
    this.only(o, authority); this.signedBy(o, authority);
    return 'authority';
  }
  revocation(state, o) {
    const s = o.said; rule(NODE.test(s.name) && ['node', 'officer'].includes(s.subject), 'malformed');
    const by = this.byOwn(state, o, memberOf(s.name));
    this.notAhead(state, s.issued, o);
    const party = state.parties.get(memberOf(s.name)), before = party.revocations.get(s.name) ?? [];
    const skew = state.charter.parameters.skew, facts = [...(party.nodes.get(s.name) ?? []), ...(party.officers.get(s.name) ?? [])];
    const confirms = by === 'authority' && before.some((r) => !r.confirmed), ends = facts.some((f) => !f.revoked && f.issued <= s.issued + skew);
    if (!before.length) this.room(party, s.name);
    else rule(confirms || (ends && !before.some((r) => r.statement === o.statement)), 'duplicate');
    party.revocations.set(s.name, [...before.map((r) => ({ ...r, confirmed: r.confirmed || by === 'authority' })), { fact: true, issued: s.issued, index: o.index, statement: o.statement, confirmed: by === 'authority' }]);
    const own = s.subject === 'node' ? party.nodes : party.officers, until = s.issued + skew;
    if (own.has(s.name)) own.set(s.name, own.get(s.name).map((f) => (f.issued <= until ? { ...f, revoked: true } : f)));
    return state;
  }
  prekey(state, o) {
    const s = o.said; rule(NODE.test(s.node) && s.public.length === 1216, 'malformed');
    const c = state.charter, p = c.parameters;
    rule((c.valid[0] <= o.now && o.now < c.valid[1]) || c.on_expiry !== 'freeze', 'charter-expired');
    rule(memberOf(s.node) in c.members, 'unknown-member');
    const facts = state.parties.get(memberOf(s.node)).nodes.get(s.node) ?? [];
    const fact = facts.findLast((f) => !f.revoked && o.now < f.until && o.signatures.has(hexKey(f.signing))) ?? fail('unsigned');
    this.only(o, fact.signing);
    this.notAhead(state, s.created, o);
    rule(s.created + p.prekey_max > o.now, 'expired');
    const id = text(keyId(3, s.public)), last = this.prekeys.findLast((k) => k.node === s.node);
    rule(!this.prekeys.some((k) => k.id === id), 'duplicate');
    rule(!last || s.created > last.created, 'issued'); rule(!last || o.now - last.logged >= 600000, 'limit');
    this.signedBy(o, fact.signing);
    this.prekeys.push({ node: s.node, id, created: s.created, logged: o.now, index: o.index });
  }
  rows(data, signers, restriction) {
    const found = (toml.parse(data.toString()).agreement ?? []).map((row) => ({ ...row, id: `${[...signers].sort().join('+')}/${row.id}` }));
    rule(found.every((row) => row.from.every((who) => signers.includes(who)) && (!restriction || ['deny', 'ceiling'].includes(row.effect))), 'malformed');
    return found;
  }
  agreement(state, o) {
    const s = o.said; rule(DUTY_ID.test(s.id), 'malformed');
    this.mayAdd(state, o);
    const keys = s.parties.map((code) => this.authority(state, code));
    this.only(o, ...keys); keys.forEach((key) => this.signedBy(o, key)); this.notAhead(state, s.issued, o);
    const before = state.agreements.get(s.id);
    rule(!before || (String(before.parties) === String(s.parties) && before.issued < s.issued), 'issued');
    const rows = this.rows(s.rows, s.parties, false), others = [...state.agreements].filter(([id]) => id !== s.id).flatMap(([, a]) => a.rows.map((r) => r.id));
    rule(!rows.some((row) => others.includes(row.id)), 'rows');
    state.agreements.set(s.id, { fact: true, parties: s.parties, issued: s.issued, rows });
    return state;
  }
  restriction(state, o) {
    const s = o.said, by = this.byOwn(state, o, s.member);
    this.notAhead(state, s.issued, o);
    const party = state.parties.get(s.member), before = party.restrictions.get(s.id);
    if (before) {
      rule(by === 'authority', 'duty');
      rule((before.statement === o.statement && !before.confirmed) || before.issued < s.issued, 'issued');
    }
    const rows = this.rows(s.rows, [s.member], true), others = [...party.restrictions].filter(([id]) => id !== s.id).flatMap(([, r]) => r.rows.map((row) => row.id));
    rule(!rows.some((row) => others.includes(row.id)), 'rows');
    party.restrictions.set(s.id, { fact: true, issued: s.issued, rows, statement: o.statement, confirmed: by === 'authority' });
    return state;
  }

  at(size) { return new View(this, this.states[size - 1], size); }
}

// Section 4.3
export class View {
  constructor(directory, state, size) { Object.assign(this, { directory, state, size, charter: state.charter }); }
  frozen(now) { return now >= this.charter.valid[1] && this.charter.on_expiry === 'freeze'; }
  facts(node) { return this.state.parties.get(memberOf(node))?.nodes.get(node) ?? []; }
  current(node, now) { return memberOf(node) in this.charter.members ? this.directory.current(this.facts(node), now) : undefined; }
  active(node, now) { const found = this.current(node, now); return found && !this.charter.members[memberOf(node)].suspended && !this.frozen(now) ? found : undefined; }
  channel(log) {
    if (log === this.charter.directory) return { name: 'directory', log, realm: 'operational', members: Object.keys(this.charter.members), ceiling: {}, families: [], relay: this.charter.directoryRelay };
    return Object.values(this.charter.channels).find((c) => c.log === log);
  }
  activeNodes(log, now) {
    const channel = this.channel(log), names = [...this.state.parties.values()].flatMap((p) => [...p.nodes.keys()]).sort();
    return names.filter((name) => {
      const f = this.active(name, now), member = this.charter.members[memberOf(name)];
      return f && channel && channel.members.includes(member.code) && f.realms.includes(channel.realm) && f.role !== 'witness' && member.role !== 'auditor';
    });
  }
  // 'ok' or the code of the refusal
  sender(node, now, log, kind) {
    const member = this.charter.members[memberOf(node)], facts = this.facts(node), found = this.active(node, now);
    if (!found) {
      if (!member || !facts.length) return 'unknown-sender';
      if (member.suspended) return 'suspended';
      if (this.current(node, now)) return 'role';
      return facts.every((f) => f.revoked) ? 'revoked' : 'unknown-sender';
    }
    if (member.role === 'auditor' || found.role === 'witness') return 'role';
    if (log === undefined) return 'ok';
    const channel = this.channel(log), quiet = member.role === 'observer' || found.role === 'receive';
    if (!channel.members.includes(member.code) || !found.realms.includes(channel.realm)) return 'role';
    return quiet && !['heartbeat', 'acknowledgement'].includes(kind) ? 'role' : 'ok';
  }
  prekey(node, now) {
    const after = this.state.parties.get(memberOf(node))?.revocations.get(node)?.at(-1)?.index ?? -1;
    const found = this.directory.prekeys.findLast((k) => k.node === node && k.index < this.size);
    return found && found.index > after && found.created + this.charter.parameters.prekey_max > now ? found : null;
  }
  subject(node, now) {
    const member = this.charter.members[memberOf(node)];
    return { node, member: member.code, groups: member.role === 'auditor' ? [] : [...member.groups, '@members'], entitlements: member.entitlements, accreditation: this.active(node, now).accreditation };
  }
  officer(id, now) {
    for (const [code, party] of this.state.parties) {
      for (const facts of party.officers.values()) {
        const found = this.directory.current(facts.filter((f) => hexKey(f.key) === id), now), member = this.charter.members[code];
        if (found && member && !member.suspended && !this.frozen(now)) return found;
      }
    }
    return null;
  }
  witnesses(now, log) {
    const operator = this.charter.relays[this.channel(log).relay].operator, found = {};
    for (const code of Object.keys(this.charter.members).sort()) {
      const member = this.charter.members[code];
      if (member.role !== 'member' || member.suspended || code === operator) continue;
      const names = [...this.state.parties.get(code).nodes.keys()].sort().filter((name) => this.current(name, now));
      if (names.length) found[code] = names.map((name) => `${this.charter.framework}/${name}`);
    }
    return found;
  }
  addedRows() {
    const agreements = [...this.state.agreements.keys()].sort().flatMap((id) => this.state.agreements.get(id).rows);
    const restrictions = [...this.state.parties.keys()].sort().flatMap((code) => { const r = this.state.parties.get(code).restrictions; return [...r.keys()].sort().flatMap((id) => r.get(id).rows); });
    return [...agreements, ...restrictions];
  }
  groups() {
    const found = { '@members': Object.keys(this.charter.members) };
    for (const m of Object.values(this.charter.members)) for (const group of m.groups) (found[group] ??= []).push(m.code);
    return found;
  }
}
