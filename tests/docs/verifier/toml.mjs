// The part of TOML 1.0 that charters and policies use: tables, arrays of tables, strings, integers, booleans, local dates,
// arrays over lines, inline tables. A date is {day}. Everything else is refused.
import { refuse } from './msgpack.mjs';

// Section 5.1 writes them out: what a Unicode version adds later does not count.
const INVISIBLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\u{110bd}\u{110cd}\u{13430}-\u{1343f}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]/u;

export function parse(text) {
  if (INVISIBLE.test(text)) refuse('an invisible character');
  let at = 0;
  const root = Object.create(null);
  const sealed = new WeakSet(), defined = new WeakSet(), listed = new WeakSet();
  const fail = (what) => refuse(`TOML at ${at}: ${what}`);
  const skip = (lines) => {
    for (;;) {
      while (text[at] === ' ' || text[at] === '\t' || (lines && text[at] === '\n')) at += 1;
      if (text[at] !== '#') return;
      while (at < text.length && text[at] !== '\n') at += 1;
    }
  };
  const match = (pattern) => { pattern.lastIndex = at; const found = pattern.exec(text); if (found) at += found[0].length; return found?.[0]; };
  const string = () => {
    if (text.startsWith('"""', at) || text.startsWith("'''", at)) fail('a text over lines');
    if (text[at] === "'") return (match(/'[^'\n]*'/y) ?? fail('text')).slice(1, -1);
    const raw = match(/"(?:[^"\\\n]|\\(?:["\\bfnrt]|u[0-9A-Fa-f]{4}))*"/y) ?? fail('text');
    const said = JSON.parse(raw.replaceAll('\t', '\\t'));
    return INVISIBLE.test(said) || /[\t\n]/.test(said) ? fail('an invisible character, or a line end') : said;
  };
  const key = () => {
    const found = [];
    do {
      skip(false);
      found.push(text[at] === '"' || text[at] === "'" ? string() : match(/[A-Za-z0-9_-]+/y) ?? fail('key'));
      skip(false);
    } while (text[at] === '.' && ++at);
    return found;
  };
  const value = () => {
    if (text[at] === '"' || text[at] === "'") return string();
    if (text[at] === '[') {
      const found = []; at += 1; skip(true);
      while (text[at] !== ']') { found.push(value()); skip(true); if (text[at] === ',') { at += 1; skip(true); } else if (text[at] !== ']') fail('list'); }
      at += 1; return found;
    }
    if (text[at] === '{') {
      const found = Object.create(null); at += 1; skip(false);
      while (text[at] !== '}') { assign(found); skip(false); if (text[at] === ',') { at += 1; skip(false); if (text[at] === '}') fail('comma'); } else if (text[at] !== '}') fail('table'); }
      at += 1; sealed.add(found); return found;
    }
    const day = match(/[0-9]{4}-[0-9]{2}-[0-9]{2}(?![T0-9:]| [0-9])/y);
    if (day) return { day: Date.parse(`${day}T00:00:00Z`) / 86400000 };
    const word = match(/true|false|[+-]?(?:0|[1-9](?:_?[0-9])*)(?![0-9.eE_:-])/y) ?? fail('value');
    return word === 'true' ? true : word === 'false' ? false : Number(word.replaceAll('_', ''));
  };
  const into = (table, name) => {
    if (!(name in table)) table[name] = Object.create(null);
    let inner = table[name];
    if (Array.isArray(inner) && listed.has(inner)) inner = inner[inner.length - 1];
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner) || 'day' in inner || sealed.has(inner)) fail(`${name} is no table`);
    return inner;
  };
  const assign = (table) => {
    const path = key(), last = path.pop();
    for (const name of path) table = into(table, name);
    if (text[at] !== '=') fail('='); at += 1; skip(false);
    if (last in table) fail(`${last} twice`);
    table[last] = value();
  };
  let table = root;
  for (;;) {
    skip(true);
    if (at >= text.length) return root;
    if (text[at] === '[') {
      const array = text[at + 1] === '['; at += array ? 2 : 1;
      const path = key(), last = path.pop();
      if (!text.startsWith(array ? ']]' : ']', at)) fail(']'); at += array ? 2 : 1;
      table = root;
      for (const name of path) table = into(table, name);
      if (array) {
        if (!(last in table)) { table[last] = []; listed.add(table[last]); }
        if (!listed.has(table[last])) fail(`${last} is no array of tables`);
        table[last].push(Object.create(null)); table = table[last][table[last].length - 1];
      } else { table = into(table, last); if (defined.has(table)) fail(`${last} twice`); defined.add(table); }
    } else assign(table);
    skip(false);
    if (at < text.length && text[at] !== '\n') fail('one value a line');
  }
}
