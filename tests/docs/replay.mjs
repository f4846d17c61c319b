// Replays an export without a line of rsc_share. Prints one JSON object: the classes of every log, and findings.
//
//   node replay.mjs <export folder> <charter digest> [<node_modules>]
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { audit } from './verifier/export.mjs';

const [folder, digest, modules] = process.argv.slice(2);
const files = new Map();
const read = (at) => readdirSync(at, { withFileTypes: true }).forEach((entry) => {
  const path = join(at, entry.name);
  if (entry.isDirectory()) read(path); else files.set(relative(folder, path), readFileSync(path));
});
read(folder);
const at = (name) => join(modules ?? '/nowhere', '@noble/post-quantum', name);
const dsa = existsSync(at('ml-dsa.js')) ? await import(pathToFileURL(at('ml-dsa.js')).href) : null;
const found = audit(dsa, files, Buffer.from(digest, 'hex'));
console.log(JSON.stringify({ classes: Object.fromEntries([...found.logs].map(([origin, log]) => [origin, log.classes])), findings: found.findings, post_quantum: Boolean(dsa) }, null, 1));
