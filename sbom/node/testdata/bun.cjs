// Prints what Bun says of a project: the folder of each package, and the edges
// between those that it installed.
//
//   bun pm ls --all > ls.txt                               in the project
//   bun install --linker hoisted --ignore-scripts          in a copy of it
//   node bun.cjs COPY ls.txt
//
// For the edges every installed package looks for its dependencies and peers as
// Node.js does.
const fs = require('node:fs')
const path = require('node:path')

const lines = new Set()
const manifest = dir => JSON.parse(fs.readFileSync(path.join(dir, 'package.json')))
const id = dir => `${manifest(dir).name}@${manifest(dir).version ?? ''}`

function folders (text) {
  const above = []
  for (const line of text.split('\n').slice(1)) {
    const m = /^([│├└─ ]+)((@?[^@]+)@.*)$/.exec(line)
    if (!m) continue
    const depth = m[1].length / 4
    above[depth - 1] = m[2]
    lines.add(`folder ${above.slice(0, depth).join(' > ')}`)
  }
}

function find (from, name) {
  for (let dir = from; ; dir = path.dirname(dir)) {
    const at = path.join(dir, 'node_modules', name)
    if (fs.existsSync(path.join(at, 'package.json'))) return fs.realpathSync(at)
    if (dir === path.dirname(dir)) return null
  }
}

const seen = new Set()
function visit (dir, own) {
  if (seen.has(dir)) return
  seen.add(dir)
  const m = manifest(dir)
  const names = { ...m.dependencies, ...m.optionalDependencies, ...m.peerDependencies, ...m.peerDependenciesMeta, ...(own ? m.devDependencies : {}) }
  for (const name of Object.keys(names)) {
    const to = find(dir, name)
    if (to === null || to.includes('/npm/node_modules/')) continue // bundled, see bun_test.go
    if (to !== dir) lines.add(`edge ${id(dir)} ${id(to)}`)
    visit(to, !to.includes('node_modules'))
  }
}

const root = fs.realpathSync(process.argv[2])
folders(fs.readFileSync(process.argv[3], 'utf8'))
visit(root, true)
for (const base of fs.readdirSync(path.join(root, 'packages'))) visit(path.join(root, 'packages', base), true)
const compare = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))
console.log([...lines].sort(compare).join('\n'))
