// node say.cjs LIB DIR: what pnpm's own code says
const [lib, dir] = process.argv.slice(2);
const r = (n) => { try { return require(require.resolve(n, {paths:[lib]})) } catch(e) { return null } };
const fs = r('@pnpm/lockfile.fs') || r('@pnpm/lockfile-file');
const u = r('@pnpm/lockfile.utils') || r('@pnpm/lockfile-utils');
const dp = r('@pnpm/dependency-path');
const det = r('@pnpm/lockfile.detect-dep-types');
const path = require('path');
(async () => {
  const l = await fs.readWantedLockfile(dir, {ignoreIncompatible: false});
  const man = (id) => require(path.resolve(dir, id, 'package.json'));
  const id = (m) => m.name + '@' + m.version;
  const out = new Set();
  const name = (dep) => {
    const s = l.packages[dep];
    const res = s.resolution;
    if (res.type === 'directory' && l.importers[res.directory]) return id(man(res.directory));
    const nv = u.nameVerFromPkgSnapshot(dep, s);
    return nv.name + '@' + nv.version;
  };
  const edges = (from, base, deps) => {
    for (const [n, ref] of Object.entries(deps || {})) {
      if (ref.startsWith('link:')) { out.add(`edge ${from} ${id(man(path.join(base, ref.slice(5))))}`); continue; }
      const d = dp.refToRelative(ref, n);
      if (!l.packages[d]) throw new Error('missing ' + d);
      const to = name(d); if (to !== from) out.add(`edge ${from} ${to}`);
    }
  };
  const root = id(man('.'));
  for (const [i, im] of Object.entries(l.importers)) {
    const me = id(man(i)); out.add('package ' + me);
    if (i !== '.') out.add(`edge ${root} ${me}`);
    edges(me, i, im.dependencies); edges(me, i, im.devDependencies); edges(me, i, im.optionalDependencies);
  }
  const marks = {};
  let kinds = det ? det.detectDepTypes(l) : null;
  for (const [k, s] of Object.entries(l.packages)) {
    const n = name(k); out.add('package ' + n);
    edges(n, '.', s.dependencies); edges(n, '.', s.optionalDependencies);
    const dev = kinds ? kinds[k] === det.DepType.DevOnly : s.dev === true;
    const m = marks[n] ||= {dev: true, optional: true};
    if (s.resolution.type === 'directory') { m.dev = false; m.optional=false }
    m.dev &&= dev; m.optional &&= !!s.optional;
  }
  for (const [n, m] of Object.entries(marks)) { if (m.dev) out.add('development ' + n); if (m.optional) out.add('optional ' + n); }
  const lines = [...out]; lines.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  console.log(lines.join('\n'));
})();
