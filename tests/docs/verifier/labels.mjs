// Schemes, labels and decisions, from docs/protocol.md sections 6 to 8. Nothing here was translated from the library.
const DAY = 86400000;
export const dayOf = (time) => Math.floor(time / DAY);
const inDays = (day, span) => !span || (span[0].day <= day && day <= span[1].day);
const meets = (a, b) => a.some((item) => b.includes(item));
const within = (a, b) => a.every((item) => b.includes(item));
const unique = (list) => [...new Set(list)];
const bytewise = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const sorted = (list) => unique(list).sort(bytewise);

export class Policy {
  // files: path -> parsed TOML
  constructor(files, groups, extraRows = []) {
    this.top = files['policy.toml'];
    this.groups = groups;
    this.schemes = {};
    this.rows = [];
    for (const path of Object.keys(files).sort(bytewise)) {
      if (path.startsWith('schemes/')) this.schemes[files[path].scheme] = files[path];
      if (path.startsWith('agreements/')) this.rows.push(...(files[path].agreement ?? []));
    }
    this.rows.push(...extraRows);
  }

  rank(scheme, level) { return this.schemes[scheme]?.level.findIndex((l) => l.name === level) ?? -1; }
  level(label) { return this.schemes[label.scheme].level[this.rank(label.scheme, label.level)]; }
  tag(scheme, name) { return (this.schemes[scheme].tag ?? []).find((t) => t.name === name); }
  matches(label, combination) {
    return Object.entries(combination ?? {}).every(([key, values]) => (key === 'level' ? values.includes(label.level) : meets(values, label.tags[key] ?? [])));
  }

  // Section 7.3
  valid(label, writing, now) {
    const scheme = this.schemes[label.scheme];
    if (!scheme || this.rank(label.scheme, label.level) < 0) return false;
    const level = this.level(label);
    if (writing && level.obsolete) return false;
    if (level.named && label.audience.some((item) => item.startsWith('@'))) return false;
    for (const [name, values] of Object.entries(label.tags)) {
      const tag = this.tag(label.scheme, name);
      if (!tag || (!values.length && tag.type !== 'permissive')) return false;
      if (values.length > 1 && (tag.single ?? tag.type === 'handling')) return false;
      for (const value of values) {
        const known = tag.value.find((v) => v.name === value);
        if (!known || (writing && known.obsolete)) return false;
      }
    }
    for (const rule of scheme.rule ?? []) {
      if (!this.matches(label, rule.when)) continue;
      if (!this.matches(label, rule.requires)) return false;
      if (Object.entries(rule.excludes ?? {}).some(([key, values]) => this.matches(label, { [key]: values }))) return false;
    }
    if (writing && now !== undefined && label.review !== null && label.review <= now) return false;
    if (!label.successor) return true;
    const same = label.successor.scheme === label.scheme && String(label.successor.originators) === String(label.originators);
    return same && label.review !== null && this.valid(label.successor, writing);
  }

  // Section 7.4
  map(label, to, day) {
    for (const row of this.schemes[label.scheme]?.equivalence ?? []) {
      if (row.to !== to || !this.schemes[to] || !inDays(day, row.valid)) continue;
      const found = this.apply(label, row);
      if (found) return found;
    }
    return null;
  }
  apply(label, row) {
    const level = row.levels[label.level];
    if (level === undefined || this.rank(row.to, level) < 0 || !this.matches(label, row.requires)) return null;
    const tags = {};
    for (const [name, values] of Object.entries(label.tags)) {
      const type = this.tag(label.scheme, name)?.type;
      if (!type || !values.length) return null;
      if (type !== 'restrictive' && type !== 'permissive') continue;
      const equal = values.map((value) => (row.tags ?? []).find((t) => t[0] === name && t[1] === value)).filter(Boolean);
      if (!equal.length || (type === 'restrictive' && equal.length < values.length)) return null;
      for (const [, , other, value] of equal) {
        const tag = this.tag(row.to, other);
        if (tag?.type !== type || !tag.value.some((v) => v.name === value)) return null;
        tags[other] = sorted([...(tags[other] ?? []), value]);
      }
    }
    return { ...label, scheme: row.to, level, tags, successor: null };
  }
  readings(label, day) {
    const others = Object.keys(this.schemes).sort(bytewise).filter((id) => id !== label.scheme);
    return [label, ...others.map((id) => this.map(label, id, day)).filter(Boolean)];
  }

  // Section 7.5
  readers(label) {
    const all = label.originators.length === 1 ? [...label.audience, ...label.originators] : label.audience;
    return all.includes('@members') ? ['@members'] : all;
  }
  tagRank(scheme, name, values) { return Math.max(-1, ...values.map((v) => this.tag(scheme, name).value.findIndex((known) => known.name === v))); }
  join(a, b, now) {
    if (a.scheme !== b.scheme) {
      const [first, second] = [a, b].sort((x, y) => bytewise(x.scheme, y.scheme)), day = dayOf(now);
      const there = this.map(second, first.scheme, day), back = there ? null : this.map(first, second.scheme, day);
      if (!there && !back) return null;
      [a, b] = there ? [first, there] : [back, second];
    }
    if (Boolean(a.originators.length) !== Boolean(b.originators.length)) return null;
    const tags = {};
    for (const name of sorted([...Object.keys(a.tags), ...Object.keys(b.tags)])) {
      const [x, y] = [a.tags[name], b.tags[name]], type = this.tag(a.scheme, name)?.type;
      if (!type) return null;
      if (!x || !y) tags[name] = x ?? y;
      else if (type === 'permissive') tags[name] = x.filter((v) => y.includes(v));
      else if (type === 'handling') tags[name] = [[...x, ...y].sort((p, q) => this.tagRank(a.scheme, name, [q]) - this.tagRank(a.scheme, name, [p]))[0]];
      else tags[name] = sorted([...x, ...y]);
    }
    const originators = sorted([...a.originators, ...b.originators]);
    const [ra, rb] = [this.readers(a), this.readers(b)];
    const meet = ra[0] === '@members' ? rb : rb[0] === '@members' ? ra : ra.filter((item) => rb.includes(item));
    const audience = meet.includes('@members') ? ['@members'] : sorted(originators.length === 1 ? meet.filter((m) => m !== originators[0]) : meet);
    const times = (key, pick) => { const known = [a[key], b[key]].filter((t) => t !== null); return known.length ? pick(...known) : null; };
    const higher = this.rank(a.scheme, a.level) >= this.rank(b.scheme, b.level) ? a : b;
    const same = JSON.stringify(a.successor) === JSON.stringify(b.successor) && a.review === b.review;
    const joined = { audience, created: times('created', Math.max), level: higher.level, originators, review: times('review', Math.min), scheme: a.scheme, successor: same ? a.successor : null, tags };
    return this.valid(joined, false) ? joined : null;
  }
  dominates(high, low, now) {
    if (high.scheme !== low.scheme) low = this.map(low, high.scheme, dayOf(now));
    if (!low || !this.schemes[high.scheme]) return false;
    const [top, bottom] = [this.rank(high.scheme, high.level), this.rank(low.scheme, low.level)];
    if (top < 0 || bottom < 0 || top < bottom || !within(low.originators, high.originators)) return false;
    const wide = this.readers(low);
    if (wide[0] !== '@members' && !within(this.readers(high), wide)) return false;
    return Object.entries(low.tags).every(([name, theirs]) => {
      const ours = high.tags[name], type = this.tag(high.scheme, name)?.type;
      if (!type) return true;
      if (!ours) return false;
      if (type === 'permissive') return within(ours, theirs);
      if (type === 'handling') return this.tagRank(high.scheme, name, ours) >= this.tagRank(high.scheme, name, theirs);
      return within(theirs, ours);
    });
  }

  // Section 8
  dated(group, day) {
    return Object.values(this.schemes).flatMap((s) => s.groups?.[group] ?? []).filter((m) => (m.first?.day ?? -Infinity) <= day && day <= (m.last?.day ?? Infinity)).map((m) => m.member);
  }
  names(subject, day) {
    const groups = unique(Object.values(this.schemes).flatMap((s) => Object.keys(s.groups ?? {})));
    return [subject.member, ...subject.groups, ...groups.filter((g) => this.dated(g, day).includes(subject.member))];
  }
  decide(label, subject, action, facets) {
    if (!['receive', 'open', 'forward', 'derive', 'publish'].includes(action)) return { code: 'action', row: null };
    const no = (code, row = null) => ({ code, row }), day = dayOf(facets.time);
    if (!inDays(day, this.top.valid)) return no('epoch');
    if (!this.valid(label, false)) return no('valid');
    const names = this.names(subject, day), insider = subject.groups.includes('@members') ? subject.member : null;
    const authors = label.originators.length ? label.originators : [facets.originator];
    const sole = authors.length === 1 && authors[0] === insider;
    const all = this.readings(label, day);
    const seen = label.scheme in subject.entitlements ? [label] : all.slice(1).filter((r) => r.scheme in subject.entitlements);
    if (!seen.length) return no('scheme');
    const codes = seen.map((reading) => this.cleared(label, all, reading, subject, names, insider, sole, facets));
    if (!codes.includes(null)) return no(codes[0]);
    if (!facets.channel.members.includes(insider)) return no('need');
    const realm = facets.channel.realm;
    if (!['operational', 'exercise'].includes(realm) || (facets.realm && facets.realm !== realm)) return no('realm');
    const level = this.level(label), controlled = Object.keys(label.tags).some((name) => this.tag(label.scheme, name).originator_control);
    const silent = authors.filter((who) => who !== facets.originator && !facets.releases.includes(who));
    if (!['receive', 'open'].includes(action) && silent.length && !(level.public_release && !controlled)) return no('origin');
    const rows = this.matching(label, all, authors, action, facets, day).filter((row) => meets(row.to, names));
    const denied = rows.find((row) => ['deny', 'ceiling'].includes(row.effect));
    if (denied) return no('agreement', denied.id);
    const permits = rows.filter((row) => row.effect === 'permit'), need = this.top.agreement ?? {};
    for (const who of authors) {
      const asked = need.everybody || (need.originators ?? []).includes(who) || (need.schemes ?? []).includes(label.scheme);
      if (asked && who !== insider && !permits.some((row) => this.from(row, who, day))) return no('agreement');
    }
    if (action === 'publish' && !level.public_release) return no('handling');
    if (level.named && !label.audience.includes(insider) && !sole) return no('handling');
    return { code: 'released', row: permits[0]?.id ?? null };
  }
  cleared(label, all, reading, subject, names, insider, sole, facets) {
    const held = subject.entitlements[reading.scheme];
    const limited = (limits) => (label.scheme in limits ? [label] : all.slice(1)).some((r) => {
      const top = this.rank(r.scheme, limits[r.scheme] ?? '');
      return top >= 0 && this.rank(r.scheme, r.level) <= top;
    });
    if (!held.levels.includes(reading.level) || !limited(subject.accreditation) || !limited(facets.channel.ceiling)) return 'level';
    const tags = (type) => Object.entries(reading.tags).filter(([name]) => this.tag(reading.scheme, name).type === type);
    if (!tags('restrictive').every(([name, values]) => within(values, held.tags[name] ?? []))) return 'restrict';
    if (insider === null || !(meets(label.audience, names) || sole)) return 'audience';
    return tags('permissive').every(([name, values]) => meets(values, held.tags[name] ?? [])) ? null : 'permit';
  }
  from(row, who, day) {
    return row.from.includes(who) || row.from.includes('@members') || row.from.some((item) => {
      if (!item.startsWith('@')) return false;
      const members = [...(this.groups[item] ?? []), ...this.dated(item, day)];
      return members.includes(who) || (!members.length && row.effect !== 'permit');
    });
  }
  carries(label, name, values) {
    const type = this.tag(label.scheme, name)?.type;
    return Boolean(type) && (['permissive', 'handling'].includes(type) || meets(values, label.tags[name] ?? []));
  }
  atMost(reading, text) {
    const at = text.search(/[ :]/), scheme = text.slice(0, at), top = this.rank(scheme, text.slice(at + 1));
    return reading.scheme === scheme && top >= 0 && this.rank(scheme, reading.level) <= top;
  }
  matching(label, all, authors, action, facets, day) {
    return this.rows.filter((row) => {
      const permit = row.effect === 'permit';
      if (!inDays(day, row.valid) || !(row.actions ?? [action]).includes(action)) return false;
      if (row.families?.length && !row.families.includes(facets.family)) return false;
      if (row.channels?.length && !row.channels.includes(facets.channel.name)) return false;
      if (row.purpose?.length && !row.purpose.includes(facets.purpose) && (permit || facets.purpose !== null)) return false;
      if (!authors.some((who) => this.from(row, who, day))) return false;
      const listed = Object.entries((permit ? row.except : row.tags) ?? {}), carries = listed.some(([name, values]) => this.carries(label, name, values));
      if (permit ? carries : listed.length && !carries) return false;
      const below = !row.max_level || all.some((reading) => this.atMost(reading, row.max_level));
      if (permit) return below;
      if (row.effect === 'ceiling') return !below;
      return !row.min_level || this.reaches(all, row.min_level);
    });
  }
  reaches(all, text) {
    const at = text.search(/[ :]/), scheme = text.slice(0, at), bottom = this.rank(scheme, text.slice(at + 1));
    const ranks = all.filter((r) => r.scheme === scheme).map((r) => this.rank(scheme, r.level));
    return bottom < 0 || !ranks.length || Math.max(...ranks) >= bottom;
  }
  requiredReleases(label, facets, subjects) {
    const day = dayOf(facets.time);
    if (!inDays(day, this.top.valid) || !this.valid(label, false)) return [];
    const authors = label.originators.length ? label.originators : [facets.originator];
    const rows = this.matching(label, this.readings(label, day), authors, 'receive', facets, day).filter((row) => row.effect === 'require-release');
    return rows.filter((row) => !subjects || subjects.some((s) => meets(row.to, this.names(s, day)))).map((row) => row.id);
  }
}
