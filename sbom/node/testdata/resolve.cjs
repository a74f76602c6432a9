// Prints how npm itself resolves the lockfile of a folder: the packages, the
// edges between them, and for each folder where every dependency leads.
//
//   node resolve.cjs FOLDER
//
// The package.json of the project and of its members are written from the
// lockfile where they are missing, since npm reads them, too.
const fs = require('node:fs')
const path = require('node:path')
const { execSync } = require('node:child_process')

const npm = path.join(execSync('npm root -g', { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim(), 'npm')
const Arborist = require(path.join(npm, 'node_modules/@npmcli/arborist'))

async function main (folder) {
  const lock = JSON.parse(fs.readFileSync(path.join(folder, 'package-lock.json')))
  for (const [key, entry] of Object.entries(lock.packages)) {
    const file = path.join(folder, key, 'package.json')
    if (/(^|\/)node_modules\//.test(key) || fs.existsSync(file)) continue
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, JSON.stringify({ name: path.basename(key), ...entry }))
  }
  const tree = await new Arborist({ path: path.resolve(folder) }).loadVirtual()
  const id = n => `${n.packageName}@${n.version}`
  const lines = new Set()
  for (const n of tree.inventory.values()) {
    if (n.isLink) continue
    lines.add(`package ${id(n)}`)
    lines.add(`folder ${n.location || '.'} ${id(n)}${n.inDepBundle ? ' bundled' : ''}`)
    for (const e of n.edgesOut.values()) {
      lines.add(`resolve ${n.location || '.'} ${e.type} ${e.name} ${e.to ? e.to.location : '-'}`)
      if (e.to && e.to.target !== n) lines.add(`edge ${id(n)} ${id(e.to.target)}`)
    }
  }
  const compare = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))
  process.stdout.write([...lines].sort(compare).join('\n') + '\n')
}

main(process.argv[2])
