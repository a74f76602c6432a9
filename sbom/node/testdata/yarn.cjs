// Prints what yarn says of a project: the packages, and the edges between them.
//
//   yarn info -AR --json | node yarn.cjs      of yarn 2 and newer
//   node yarn.cjs FOLDER                      of yarn 1: what it installed there
//
// Of the latter, every package looks for its dependencies as Node.js does.
const fs = require('node:fs')
const path = require('node:path')

const lines = new Set()
const read = dir => JSON.parse(fs.readFileSync(path.join(dir, 'package.json')))

function berry (text) {
  const all = text.trim().split('\n').map(line => JSON.parse(line))
  const plain = locator => locator.replace(/@virtual:[0-9a-f]+#/, '@')
  const version = new Map(all.map(p => [plain(p.value), p.children.Version]))
  const id = locator => `${/^(@?[^@]+)@/.exec(locator)[1]}@${version.get(plain(locator))}`
  for (const p of all) {
    lines.add(`package ${id(p.value)}`)
    for (const d of p.children.Dependencies ?? []) {
      if (id(d.locator) !== id(p.value)) lines.add(`edge ${id(p.value)} ${id(d.locator)}`)
    }
  }
}

function find (from, name) {
  for (let dir = from; ; dir = path.dirname(dir)) {
    const at = path.join(dir, 'node_modules', name)
    if (fs.existsSync(at)) return fs.realpathSync(at)
    if (dir === path.dirname(dir)) return null
  }
}

function classic (root) {
  const seen = new Set()
  const id = dir => `${read(dir).name}@${read(dir).version}`
  const visit = (dir, own) => {
    if (seen.has(dir)) return
    seen.add(dir)
    const m = read(dir)
    lines.add(`package ${id(dir)}`)
    const names = { ...m.dependencies, ...m.optionalDependencies, ...(own ? m.devDependencies : {}) }
    for (const name of Object.keys(names)) {
      const to = find(dir, name)
      if (to === null) continue
      lines.add(`edge ${id(dir)} ${id(to)}`)
      visit(to, !to.includes('node_modules'))
    }
  }
  visit(root, true)
  for (const base of fs.readdirSync(path.join(root, 'packages'))) visit(path.join(root, 'packages', base), true)
}

if (process.argv[2]) classic(fs.realpathSync(process.argv[2])); else berry(fs.readFileSync(0, 'utf8'))
console.log([...lines].sort().join('\n'))
