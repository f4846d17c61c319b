// Charter texts (docs/protocol.md, section 5): read strictly, or refused.
import { refuse } from './msgpack.mjs';
import { sha } from './keys.mjs';
import * as toml from './toml.mjs';

const DAY = 86400000;
const DEFAULTS = { lag: 600, skew: 120, heartbeat: 900, ack_deadline: 3600, prekey_life: 21600, prekey_max: 604800, grant_life: 3600, node_delay: 86400, nodes_max: 8, outbox_age: 7776000 };
const BOUNDS = { lag: [1, 86400], skew: [1, 3600], heartbeat: [1, 86400], ack_deadline: [1, 604800], prekey_life: [60, 604800], prekey_max: [60, 2678400], grant_life: [1, 86400], node_delay: [0, 2678400], nodes_max: [1, 64], outbox_age: [60, 31622400] };
const HEX = /^[0-9a-f]{64}$/, MEMBER = /^[A-Z][A-Z0-9-]{1,31}$/, CHANNEL = /^[a-z0-9][a-z0-9-]{0,62}$/, HOST = /^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?(:[1-9][0-9]{0,4})?$/;
const GROUP = /^@[a-z0-9][a-z0-9-]{0,62}$/, SCHEME = /^[A-Z][A-Z0-9-]{1,31}$/;

const need = (truth, what) => truth || refuse(what);
const only = (table, ...keys) => need(Object.keys(table).every((key) => keys.includes(key)), `unknown key among ${Object.keys(table)}`);
const like = (v, pattern) => need(typeof v === 'string' && pattern.test(v), `grammar of ${v}`) && v;
const whole = (v, low, high) => need(Number.isInteger(v) && v >= low && v <= high, `number ${v}`) && v;
const list = (v, low = 0) => need(Array.isArray(v) && v.length >= low && new Set(v).size === v.length, 'list') && v;
const fraction = (v) => { need(Array.isArray(v) && v.length === 2, 'pair'); const [part, all] = v; whole(part, 1, 1000); whole(all, 1, 1000); need(part <= all && part * 2 > all, 'fraction'); return [part, all]; };

export function parseCharter(data) {
  let text;
  try { text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data); } catch { refuse('not UTF-8'); }
  need(data.length <= 262144 && text.endsWith('\n') && !text.endsWith('\n\n'), 'bytes of the text');
  const t = toml.parse(text);
  only(t, 'framework', 'version', 'previous', 'valid', 'rules', 'on_expiry', 'policy', 'directory', 'quorum', 'quorum_remove', 'witness_quorum', 'erasure', 'parameters', 'member', 'relay', 'channel', 'closed', 'predecessor');
  like(t.framework, /^[a-z0-9-]{1,63}$/); whole(t.version, 1, 1000000); need(t.rules === 1, 'rules'); need(['freeze', 'continue-restricted'].includes(t.on_expiry), 'on_expiry');
  if (t.erasure !== undefined) { list(t.erasure, 1, 16); need(new Set(t.erasure).size === t.erasure.length && t.erasure.every((name) => /^[A-Z][A-Z0-9-]{1,31}\/[a-z0-9][a-z0-9-]{0,62}$/.test(name) && t.member?.[name.split('/')[0]]), 'erasure'); }
  if (t.version === 1) need(t.previous === undefined, 'previous'); else like(t.previous, HEX);
  list(t.valid); need(t.valid.length === 2 && t.valid.every((d) => d?.day !== undefined) && t.valid[0].day <= t.valid[1].day, 'valid');
  like(t.policy, HEX); like(t.directory, HOST); whole(t.witness_quorum, 1, 256);
  const parameters = { ...DEFAULTS };
  for (const [key, value] of Object.entries(t.parameters ?? {})) {
    const name = key === 'nodes_max' ? key : key.replace(/_seconds$/, '');
    need(name in DEFAULTS && (name === 'nodes_max' || key.endsWith('_seconds')), key);
    parameters[name] = whole(value, ...BOUNDS[name]);
  }
  need(parameters.skew * 2 <= parameters.lag && parameters.prekey_life <= parameters.prekey_max && parameters.prekey_life >= 600, 'parameters');
  for (const name of Object.keys(parameters)) if (name !== 'nodes_max') parameters[name] *= 1000;
  const owners = new Map();
  const own = (fingerprint, owner) => { like(fingerprint, HEX); need(!owners.has(fingerprint), 'one key, one owner'); owners.set(fingerprint, owner); return fingerprint; };
  const levels = (table) => { for (const [scheme, level] of Object.entries(table ?? {})) { like(scheme, SCHEME); like(level, /./); } return { ...table }; };
  const realms = (v) => { list(v, 1).forEach((realm) => need(['operational', 'exercise'].includes(realm), 'realm')); return v; };
  const members = {};
  for (const code of Object.keys(t.member ?? {}).sort()) {
    const m = t.member[like(code, MEMBER)];
    only(m, 'role', 'authority', 'duty', 'title', 'suspended', 'groups', 'entitlement', 'node');
    need(['member', 'observer', 'auditor'].includes(m.role), 'role');
    const found = { code, role: m.role, authority: own(m.authority, `authority ${code}`), duty: null, suspended: m.suspended ?? false, groups: list(m.groups ?? []), entitlements: {}, nodes: {} };
    if (m.title !== undefined) need(typeof m.title === 'string' && m.title.length > 0 && [...m.title].length <= 200, 'title');
    if (m.duty !== undefined) found.duty = own(m.duty, `duty ${code}`);
    found.groups.forEach((group) => need(GROUP.test(group) && group !== '@members', 'group'));
    for (const [scheme, held] of Object.entries(m.entitlement ?? {})) { only(held, 'levels', 'tags'); found.entitlements[like(scheme, SCHEME)] = { levels: list(held.levels, 1), tags: { ...held.tags } }; }
    for (const name of Object.keys(m.node ?? {}).sort()) {
      const n = m.node[like(name, CHANNEL)], full = `${code}/${name}`;
      only(n, 'signing', 'witness', 'realms', 'accreditation', 'role');
      need(list(n.witness).length === 2, 'witness');
      found.nodes[full] = { name: full, signing: own(n.signing, `signing ${full}`), witness: n.witness.map((key) => own(key, `witness ${full}`)), realms: [...realms(n.realms)].sort(), accreditation: levels(n.accreditation), role: n.role ?? 'full' };
      need(['full', 'receive', 'witness'].includes(found.nodes[full].role), 'node role');
    }
    need(Object.keys(found.nodes).length <= parameters.nodes_max, 'nodes_max');
    members[code] = found;
  }
  const relays = {}, channels = {};
  for (const [host, r] of Object.entries(t.relay ?? {})) {
    only(r, 'operator', 'log_keys', 'tls_pins'); like(host, HOST); need(list(r.log_keys).length === 2, 'log_keys'); need(r.operator in members, 'operator');
    r.log_keys.forEach((key) => own(key, `log ${host}`)); (r.tls_pins ?? []).forEach((pin) => like(pin, HEX));
    relays[host] = { operator: r.operator, log_keys: r.log_keys };
  }
  const log = (name, host) => `${host}/${t.framework}/${name}`;
  for (const [name, c] of Object.entries(t.channel ?? {})) {
    only(c, 'realm', 'relay', 'members', 'ceiling', 'families', 'retention_days', 'limits', 'alternate');
    like(name, CHANNEL); need(name !== 'directory' && ['operational', 'exercise'].includes(c.realm) && c.relay in relays, `channel ${name}`);
    const inside = new Set();
    for (const item of list(c.members, 1)) {
      const found = Object.values(members).filter((m) => (item === '@members' ? true : item.startsWith('@') ? m.groups.includes(item) : m.code === item));
      need(found.length && (item.startsWith('@') || found[0].role !== 'auditor'), `members ${item}`);
      found.filter((m) => m.role !== 'auditor').forEach((m) => inside.add(m.code));
    }
    channels[name] = { name, log: log(name, c.relay), relay: c.relay, realm: c.realm, members: [...inside].sort(), ceiling: levels(c.ceiling), families: list(c.families ?? []), retention_days: c.retention_days ?? null };
  }
  for (const [name, c] of Object.entries(t.channel ?? {})) if (c.alternate !== undefined) need(c.alternate !== name && channels[c.alternate]?.realm === c.realm, 'alternate');
  need(t.directory in relays, 'directory');
  const closed = (t.closed ?? []).map((c) => { only(c, 'log', 'size', 'root'); like(c.root, HEX); whole(c.size, 0, 2 ** 53); return { ...c }; });
  const live = new Set([log('directory', t.directory), ...Object.values(channels).map((c) => c.log)]);
  need(closed.every((c) => !live.has(c.log)) && new Set(closed.map((c) => c.log)).size === closed.length, 'closed');
  const states = Object.values(members).filter((m) => m.role === 'member'), [quorum, remove] = [fraction(t.quorum), fraction(t.quorum_remove)];
  need(states.length && states.filter((m) => !m.suspended).length >= Math.ceil((quorum[0] * states.length) / quorum[1]), 'quorum cannot be reached');
  need(remove[0] * quorum[1] >= quorum[0] * remove[1], 'quorum_remove');
  for (const host of new Set([t.directory, ...Object.values(channels).map((c) => c.relay)])) {
    const others = states.filter((m) => m.code !== relays[host].operator);
    need(t.witness_quorum <= others.filter((m) => !m.suspended).length && 2 * t.witness_quorum > others.length, 'witness_quorum');
  }
  return {
    framework: t.framework, version: t.version, previous: t.previous ?? null, valid: [t.valid[0].day * DAY, (t.valid[1].day + 1) * DAY], on_expiry: t.on_expiry, quorum, remove,
    k: t.witness_quorum, erasure: t.erasure ?? [], policy: t.policy, directory: log('directory', t.directory), directoryRelay: t.directory, parameters, members, relays, channels, closed, owners, live, states, digest: sha(data), text: data,
  };
}
