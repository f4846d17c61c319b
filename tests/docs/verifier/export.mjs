// An export's files, trees, checkpoints and signatures (docs/protocol.md, section 15), with the rows of the admission
// table that need no policy: 1, 2, 4, 6, 7, 8, 13 and 15.
import { unpack } from './msgpack.mjs';
import { keyId, leafHash, root, rootOfPath, sha, signedBytes, ed25519, u, verifies } from './keys.mjs';
import { openCheckpoint, parseVkey, pathsOf, readBundle, checkpointText, parseNote, parseCheckpoint } from './notes.mjs';
import { parseEntry, splitEntry } from './entries.mjs';
import * as toml from './toml.mjs';

const spell = (v) => {
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

function parseManifest(data) {
  let m;
  try { m = JSON.parse(data.toString('ascii')); } catch { return null; }
  if (spell(m) !== data.toString('latin1') || m.format !== 'rsc-share export 1') return null;
  if (m.files.some((f) => !f.path.startsWith('export/') || f.path.split('/').some((part) => ['', '.', '..'].includes(part)))) return null;
  const { checksum, signature, ...rest } = m;
  void signature;
  return sha(spell(rest)).toString('hex') === checksum ? m : null;
}

export function* checkExport(noble, files, pinned) {
  const m = parseManifest(files.get('manifest.json'));
  yield ['manifest', m !== null];
  const framework = Buffer.from(pinned, 'hex');
  if (m.signature) yield ['manifest signature', verifies(noble, m.signature.suite, Buffer.from(m.signature.key, 'hex'), signedBytes('manifest', m.signature.suite, framework, Buffer.from(m.checksum, 'hex')), Buffer.from(m.signature.signature, 'hex'))];
  yield ['no other files', [...files.keys()].filter((p) => p.startsWith('export/')).length === m.files.length];
  for (const f of m.files) yield [f.path, files.get(f.path)?.length === f.bytes && sha(files.get(f.path)).toString('hex') === f.sha256];
  const logs = new Map();
  for (const path of files.keys()) if (/^export\/logs\/[^/]+\/checkpoint$/.test(path)) {
    const folder = path.slice(0, -'checkpoint'.length), vkeys = files.get(`${folder}vkeys`).toString().trimEnd().split('\n').map(parseVkey);
    const note = files.get(path).toString(), { origin } = parseCheckpoint(parseNote(note).text);
    const found = openCheckpoint(noble, note, vkeys.filter((k) => k.name === origin), vkeys.filter((k) => k.name !== origin));
    const entries = pathsOf(found.head.size).filter((p) => p.startsWith('tile/entries/')).flatMap((p, i) => readBundle(files.get(folder + p), Math.min(256, found.head.size - 256 * i)));
    const leaves = entries.map(leafHash);
    yield [`${origin}: root`, root(leaves).equals(found.head.root)];
    for (const p of pathsOf(found.head.size)) yield [`${origin}: ${p}`, files.has(folder + p) && (!p.startsWith('tile/0/') || files.get(folder + p).equals(Buffer.concat(leaves)))];
    logs.set(origin, { entries, leaves, vkeys, witnesses: new Set([...found.times.keys()].map((mark) => mark.split('/')[1])).size });
  }
  const nodes = new Map();
  yield* charter(noble, files, framework, logs, nodes);
  for (const [origin, log] of logs) if (!origin.endsWith('/directory')) yield* channel(log, origin, logs, framework, nodes);
}
checkExport.manifest = parseManifest;

function* charter(noble, files, framework, logs, nodes) {
  const text = files.get('export/charter/0001/charter.toml'), said = toml.parse(text.toString());
  yield ['the pinned charter', sha(text).equals(framework)];
  const ring = new Map(unpack(files.get('export/charter/0001/keys'), 4096).map(([suite, raw]) => [keyId(suite, raw).toString('hex'), [suite, raw]]));
  const signed = new Map(unpack(files.get('export/charter/0001/signatures'), 512).map(([id, signature]) => [id.toString('hex'), signature]));
  for (const [code, member] of Object.entries(said.member)) {
    const [suite, raw] = ring.get(member.authority), data = signedBytes('charter', suite, Buffer.alloc(32), text);
    for (const [name, node] of Object.entries(member.node ?? {})) nodes.set(`${code}/${name}`, ring.get(node.signing)[1]);
    yield [`${code} signed the charter`, verifies(noble, suite, raw, data, signed.get(member.authority))];
  }
  yield ['policy bundle', sha(files.get('export/charter/0001/bundle')).toString('hex') === said.policy];
  for (const [origin, log] of logs) {
    yield [`${origin}: log key`, keyId(1, log.vkeys[0].raw).toString('hex') === said.relay[said.directory].log_keys[0]];
    yield [`${origin}: witnessed`, log.witnesses >= said.witness_quorum];
  }
  const directory = [...logs].find(([origin]) => origin.endsWith('/directory'))[1];
  for (const [index, raw] of directory.entries.entries()) {
    const { first, block, stamp } = splitEntry(raw), [kind, content, signatures] = unpack(first);
    yield [`directory ${index}`, block.length === 0 && stamp[1] === index];
    for (const [id, signature] of signatures) {
      const key = ring.get(id.toString('hex'));
      yield [`directory ${index}: ${kind} signed`, Boolean(key) && verifies(noble, key[0], key[1], signedBytes(kind, key[0], framework, content), signature)];
    }
  }
}

function* channel(log, origin, logs, framework, nodes) {
  const heads = new Map(), ids = new Set(), home = [...logs].find(([name]) => name.endsWith('/directory'));
  const logKey = log.vkeys[0].raw, rootAt = (l, size) => root(l.leaves.slice(0, size));
  let last = [0, 0];
  for (const [index, raw] of log.entries.entries()) {
    const { header, hash, block, stamp } = parseEntry(raw), get = (key) => header.get(key), at = `${origin} ${index}`;
    yield [`${at}: its log`, get('log') === origin];
    for (const [name, l, [size, r, signature]] of [[origin, log, get('seen')], [home[0], home[1], get('directory')]]) {
      yield [`${at}: ${name} signed`, ed25519(logKey, checkpointText(name, size, r), signature)];
      yield [`${at}: ${name} is a prefix`, rootAt(l, size).equals(r)];
    }
    yield [`${at}: seen`, get('seen')[0] <= index && get('directory')[0] <= stamp[1] && stamp[1] <= home[1].entries.length];
    const batch = rootOfPath(hash, block.index, block.size, block.path), key = nodes.get(get('sender'));
    yield [`${at}: signature`, Boolean(key) && keyId(1, key).equals(block.key) && ed25519(key, signedBytes('entry', 1, framework, Buffer.from('operational\0'), u(block.size, 2), batch), block.signature)];
    const [seq, prev] = heads.get(get('sender')) ?? [0, Buffer.alloc(32)], id = `${get('sender')} ${get('id').toString('hex')}`;
    yield [`${at}: number`, get('seq') === seq + 1 && get('prev').equals(prev) && !ids.has(id)];
    yield [`${at}: times`, get('id').readUIntBE(0, 6) <= stamp[0] + 120000 && stamp[0] >= last[0] && stamp[1] >= last[1]];
    heads.set(get('sender'), [get('seq'), hash]); ids.add(id); last = stamp;
  }
}
