// The admission table as an auditor applies it (docs/protocol.md, section 12).
import { Refused, pack, plain } from './msgpack.mjs';
import { ed25519, keyId, root, rootOfPath, sha, signedBytes, u } from './keys.mjs';
import { checkpointText } from './notes.mjs';
import { parseEntry } from './entries.mjs';
import { Policy } from './labels.mjs';

class No extends Error { constructor(row, code) { super(code); Object.assign(this, { row, code }); } }
const rule = (truth, row, code) => { if (!truth) throw new No(row, code); return truth; };
const memberOf = (name) => name.split('/')[0];
const hex = (buffer) => buffer.toString('hex');
const refKey = ([log, index, hash]) => `${log} ${index} ${hex(hash)}`;
const POWER = { message: 'approve', grant: 'approve', heartbeat: 'acknowledge', acknowledgement: 'acknowledge', release: 'release', recall: 'release', erasure: 'release' };
const NO_CLAIM = ['epoch', 'valid', 'scheme', 'level', 'restrict', 'need', 'realm'];

const IN_DOUBT = 'it refers to an entry that could not be checked itself';

export class Auditor {
  // `directory` is folded, `directoryLeaves` its leaf hashes
  constructor(directory, directoryLeaves, log) {
    Object.assign(this, { directory, directoryLeaves, log, leaves: [], heads: new Map(), ids: new Set(), counts: new Map(), grants: new Map(), known: new Map(), last: null, policies: new Map() });
  }
  // What is referred to; {unseen: reason} for what is not at hand; nothing where it can be said that there is nothing
  found(ref) { return this.known.get(refKey(ref)); }
  policy(view) {
    if (!this.policies.has(view.size)) this.policies.set(view.size, new Policy(view.state.files, view.groups(), view.addedRows()));
    return this.policies.get(view.size);
  }
  fork() {
    const copy = new Auditor(this.directory, this.directoryLeaves, this.log);
    return Object.assign(copy, { leaves: [...this.leaves], heads: new Map(this.heads), ids: new Set(this.ids), counts: new Map(this.counts), grants: new Map(this.grants), known: new Map(this.known), last: this.last, policies: this.policies });
  }

  // {admitted, code, row, advances}, and in `open` the reasons why rows were not judged; `openings`: node -> [salt, n]; `sizes`: digest -> bytes at hand
  judge(raw, openings, sizes) {
    let e, no = null;
    try { e = parseEntry(raw); } catch (error) { if (!(error instanceof Refused)) throw error; this.leaves.push(sha(Buffer.of(0), raw)); return { admitted: false, code: 'malformed', row: 1, advances: false }; }
    const h = plain(e.header), index = this.behind?.index ?? this.leaves.length;
    const c = { e, h, label: e.header.get('label'), index, open: [], now: e.stamp[0], stamped: e.stamp[1], openings, sizes, nodes: h.to.map(([node]) => node) };
    try { this.checks(c); } catch (error) { if (!(error instanceof No)) throw error; no = error; }
    const head = this.heads.get(h.sender) ?? [0, Buffer.alloc(32)];
    const advances = !no || (no.row > 4 && !no.early && h.seq === head[0] + 1 && h.prev.equals(head[1]));
    if (advances) {
      this.heads.set(h.sender, [h.seq, e.hash]); this.ids.add(`${h.sender} ${hex(h.id)}`);
      for (const node of c.nodes) this.counts.set(`${h.sender} ${node}`, (this.counts.get(`${h.sender} ${node}`) ?? 0) + 1);
      if (h.kind === 'grant') this.grants.set(`${h.sender} ${hex(h.id)}`, { at: c.now, nodes: c.nodes });
    }
    if (!no) this.known.set(refKey([h.log, index, e.hash]), { h, sender: h.sender, nodes: c.nodes, commits: h.parts.map((p) => p.commit), label: c.label, ref: refKey([h.log, index, e.hash]), doubt: c.open.length > 0 });
    this.leaves.push(e.leaf); this.last = e.stamp; this.open = c.open;
    return { admitted: !no, code: no?.code ?? null, row: no?.row ?? null, advances };
  }

  checks(c) {
    const { h, now, stamped } = c, D = this.directory, held = D.size, acted = h.directory[0];
    if (!(stamped > 0 && stamped <= held && acted > 0 && acted <= held)) throw Object.assign(new No(5, 'directory-ahead'), { early: true });
    const at = D.at(stamped), then = D.at(acted), p = at.charter.parameters, settled = Math.max(0, now - 2 * p.lag), policy = this.policy(at);
    Object.assign(c, { at, then, settled, p, policy });
    rule(h.log === this.log && at.channel(h.log), 2, 'unknown-log');
    const channel = at.channel(h.log);
    const logKey = (log) => at.state.ring.get(at.charter.relays[at.channel(log).relay].log_keys[0])[1];
    for (const [log, [size, hash, signature]] of [[h.log, h.seen], [at.charter.directory, h.directory]]) rule(ed25519(logKey(log), checkpointText(log, size, hash), signature), 2, 'malformed');
    const allowed = at.sender(h.sender, now);
    rule(allowed === 'ok', 3, allowed);
    const signing = at.active(h.sender, now).signing;
    rule(keyId(...signing).equals(c.e.block.key), 3, 'unknown-sender');
    rule(at.sender(h.sender, now, h.log, h.kind) === 'ok', 3, 'role');
    const b = c.e.block, batch = rootOfPath(c.e.hash, b.index, b.size, b.path);
    rule(batch && ed25519(signing[1], signedBytes('entry', 1, D.framework, Buffer.from(`${channel.realm}\0`), u(b.size, 2), batch), b.signature), 4, 'bad-signature');
    rule(acted <= stamped && stamped <= held, 5, 'directory-ahead');
    rule(root(this.directoryLeaves.slice(0, acted)).equals(h.directory[1]), 5, 'equivocation');
    rule(acted >= D.sizeBefore(settled), 5, 'stale-directory');
    rule(!this.ids.has(`${h.sender} ${hex(h.id)}`), 6, 'duplicate-id');
    const [seq, hash] = this.heads.get(h.sender) ?? [0, Buffer.alloc(32)];
    const next = h.seq === seq + 1 && (h.prev.equals(hash) || (this.behind && seq === 0));
    rule(next || (this.behind && h.seq > seq + 1), 7, 'stale-head');
    for (const [node, commitment] of h.to) {
      const [salt, n] = c.openings.get(node) ?? [];
      if (salt && sha('rsc-share/v1 to\0', salt, pack([h.log, h.sender, node, n])).equals(commitment)) rule(n === (this.counts.get(`${h.sender} ${node}`) ?? 0) + 1, 7, 'stale-head');
    }
    const composed = h.id.readUIntBE(0, 6);
    rule(composed <= now + p.skew && composed >= now - p.outbox_age, 8, 'clock');
    rule(h.expires_at === null || h.expires_at > now, 8, 'clock');
    c.facets = this.facets(c, channel, now);
    this.sharing(c, channel);
    this.thirdParty(c);
    rule(h.seen[0] <= c.index && this.sees(h.seen), 13, 'equivocation');
    const sizes = h.parts.map((part) => part.size), largest = channel.limits?.body_bytes ?? Infinity;
    rule(sizes.filter((size) => size <= 65536).reduce((sum, size) => sum + size, 0) <= 524288, 14, 'body-limit');
    rule(sizes.every((size) => size <= largest), 14, 'body-limit');
    if (!this.behind) for (const part of h.parts) rule(c.sizes.get(hex(part.digest)) === part.size, 14, 'body-missing');
    if (h.kind === 'grant') for (const [, , digest] of h.content.nodes) rule(c.sizes.get(hex(digest)) <= 1168, 14, 'body-missing');
    rule(!this.last || (now >= this.last[0] && stamped >= this.last[1]), 15, 'stamp');
    rule(stamped >= D.sizeBefore(now - p.lag + 1), 15, 'stamp');
  }
  // Behind the end of an export (section 15.4) only the tree that the order stands in is known, and none in between
  sees([size, hash]) {
    if (size <= this.leaves.length) return root(this.leaves.slice(0, size)).equals(hash);
    return this.behind.size !== size || this.behind.root.equals(hash);
  }
  facets(c, channel, time) {
    const family = c.h.type === null ? '' : c.h.type.split('/').slice(0, -2).join('/');
    return { time, channel, originator: memberOf(c.h.sender), family, purpose: c.h.purpose, releases: [], realm: null };
  }
  permits(c, node, label, view = c.at, time = c.now) {
    const facets = view === c.at && time === c.now ? c.facets : this.facets(c, view.channel(c.h.log), time);
    return this.policy(view).decide(plain(label), view.subject(node, time), 'receive', facets).code;
  }
  others(c, view, time) { return view.activeNodes(c.h.log, time).filter((node) => node !== c.h.sender); }
  circle(c, view, time) {
    const nodes = this.others(c, view, time);
    if (['heartbeat', 'erasure', 'grant'].includes(c.h.kind)) return nodes;
    if (!c.target) return [];
    if (c.h.kind === 'recall') return nodes.filter((node) => c.target.nodes.includes(node));
    const members = [memberOf(c.target.sender), ...(c.h.content.members ?? [])];
    return nodes.filter((node) => members.includes(memberOf(node)));
  }

  sharing(c, channel) {
    const { h, label, at, now, nodes } = c, member = memberOf(h.sender), message = h.kind === 'message';
    if (message) {
      rule(c.policy.valid(plain(label), true, now), 9, 'label');
      rule(c.facets.family === 'control' || channel.families.includes(c.facets.family), 9, 'label');
      rule(label.get('originators').includes(member) && !NO_CLAIM.includes(this.permits(c, h.sender, label)), 9, 'label');
    }
    const active = at.activeNodes(h.log, now);
    rule(nodes.every((node) => active.includes(node)), 10, 'policy-denied');
    if (message) rule(nodes.every((node) => this.permits(c, node, label) === 'released'), 10, 'policy-denied');
    else {
      const target = h.refs?.target;
      c.target = target ? rule(this.found(target, now), 10, 'source-unknown') : null;
      c.dark = Boolean(c.target?.unseen);
      if (c.dark) c.open.push(c.target.unseen);
      else {
        rule(!c.target || this.standing(h.kind, member, c.target), 10, 'policy-denied');
        const circle = this.circle(c, at, now);
        rule(nodes.every((node) => circle.includes(node)), 10, 'policy-denied');
        if (c.target?.doubt) c.open.push(IN_DOUBT);
      }
    }
    if (message) {
      const grant = rule(this.grants.get(`${h.sender} ${hex(h.grant)}`), 11, 'dead-grant');
      rule(now < grant.at + c.p.grant_life, 11, 'dead-grant');
      rule(grant.nodes.every((node) => nodes.includes(node)), 11, 'over-granted');
      rule(nodes.every((node) => grant.nodes.includes(node)), 11, 'under-granted');
    }
    if (h.kind === 'grant') {
      const rows = h.content.nodes;
      rule(rows.every(([node]) => nodes.includes(node)), 11, 'over-granted');
      rule(rows.length === nodes.length, 11, 'under-granted');
      for (const [node, id] of rows) rule(c.then.prekey(node, now)?.id === hex(id), 11, 'dead-grant');
    } else if (!c.dark) {
      const due = message ? this.others(c, c.then, c.settled).filter((node) => this.owed(c, node))
        : this.circle(c, c.then, c.settled).filter((node) => this.circle(c, at, now).includes(node));
      rule(due.every((node) => nodes.includes(node)), 11, 'under-granted');
    }
  }
  standing(kind, member, target) {
    if (kind === 'recall') return memberOf(target.sender) === member;
    if (kind === 'release') return memberOf(target.sender) === member || Boolean(target.label?.get('originators').includes(member));
    return target.nodes.some((node) => memberOf(node) === member);
  }
  owed(c, node) {
    if (c.nodes.includes(node)) return true;
    return Boolean(c.then.prekey(node, c.now)) && c.at.activeNodes(c.h.log, c.now).includes(node) && this.permits(c, node, c.label) === 'released' && this.permits(c, node, c.label, c.then, c.settled) === 'released';
  }

  thirdParty(c) {
    const { h, label, at, now, nodes } = c, member = memberOf(h.sender);
    if (h.refs?.derived_from.length && label) this.sources(c);
    const means = [h.log, h.sender, h.id, h.kind, h.type, label, nodes, h.purpose, h.precedence, h.expires_at, h.document, c.e.header.get('refs'), h.parts.map((p) => p.commit), c.e.header.get('content')];
    const data = signedBytes('approval', 1, this.directory.framework, sha(pack(means)));
    const approvers = h.approvals.map(([id, signature]) => {
      const officer = rule(at.officer(hex(id), now), 12, 'third-party');
      rule(officer.powers.includes(POWER[h.kind]), 12, 'third-party');
      rule(ed25519(officer.key[1], data, signature), 12, 'third-party');
      return officer.name;
    });
    rule(h.kind !== 'erasure' || approvers.some((name) => at.charter.erasure.includes(name)), 12, 'third-party');
    if (approvers.some((name) => memberOf(name) === member)) return;
    rule(!['acknowledgement', 'release', 'erasure'].includes(h.kind) || h.content.statement === 'node-erased', 12, 'third-party');
    if (label) rule(!c.policy.requiredReleases(plain(label), c.facets, nodes.map((node) => at.subject(node, now))).length, 12, 'third-party');
  }
  sources(c) {
    const { h, now, nodes } = c, looked = h.refs.derived_from.map((ref) => rule(this.found(ref, now), 12, 'source-unknown'));
    const found = looked.filter((s) => !s.unseen), labels = found.filter((s) => s.label).map((s) => plain(s.label));
    const reasons = looked.filter((s) => s.unseen).map((s) => s.unseen), dark = reasons.length > 0;
    const joined = labels.slice(1).reduce((a, b) => a && c.policy.join(a, b, now), labels[0]);
    const covered = dark || (joined && c.policy.dominates(plain(c.label), joined, now));
    if (!covered || !nodes.every((node) => found.every((s) => s.label && this.permits(c, node, s.label) === 'released'))) {
      for (const source of found) {
        const authors = new Set([memberOf(source.sender), ...(source.label?.get('originators') ?? [])]);
        authors.delete(memberOf(h.sender));
        for (const author of authors) {
          const given = h.refs.releases.map((ref) => this.found(ref, now)), good = given.filter((r) => this.releases(r, source, author, c));
          if (good.some((r) => !r.doubt)) continue;
          const maybe = given.find((r) => r?.unseen)?.unseen ?? (good.length ? IN_DOUBT : null);
          rule(maybe, 12, 'third-party');
          reasons.push(maybe);
        }
      }
    }
    if (found.some((s) => s.doubt)) reasons.push(IN_DOUBT);
    if (reasons.length) c.open.push(reasons[0]);
  }
  releases(release, source, author, c) {
    if (!release || release.unseen || release.h.kind !== 'release' || refKey(release.h.refs.target) !== source.ref || memberOf(release.sender) !== author || !source.label) return false;
    const { digest, members, until } = release.h.content;
    return (until === null || c.now < until) && digest.equals(sha(pack([source.label, source.nodes, source.commits]))) && c.nodes.every((node) => [author, ...members].includes(memberOf(node)));
  }
}
