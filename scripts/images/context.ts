/**
 * Collects what an image is made of in one folder, the build context, and names it by its content. Invariant: two
 * contexts with the same hash make the same image, apart from what the Debian mirror adds.
 */
import { createHash } from 'node:crypto'
import { chmod, copyFile, cp, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { buildGoEngine, goEngines, goEngineVersion } from './binaries.ts'
import { bundle } from './bundle.ts'
import { checkout } from './paths.ts'
import { zip } from './zip.ts'

export type ImageName = 'scanner' | 'operator'

const scanner = join(checkout, 'scanner-image')
const node = '/usr/local/bin/node'

/** Fills `folder` with everything small; the returned hash also covers the pins of what `addBinaries` adds. */
export async function collect(name: ImageName, folder: string): Promise<string> {
  const pins = name === 'scanner' ? await collectScanner(folder) : await collectOperator(folder)
  await copyInto(folder, join(import.meta.dirname, 'trim-rootfs.sh'), 'trim-rootfs.sh')
  const hash = createHash('sha256').update(JSON.stringify([pins, process.arch]))
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  for (const file of files.sort()) {
    const { mode } = await stat(file)
    hash.update(`${relative(folder, file)}\0${mode}\0`).update(
      createHash('sha256')
        .update(await readFile(file))
        .digest(),
    )
  }
  return hash.digest('hex')
}

/** Adds the programs, which take minutes to build, and the authorities that this machine trusts. */
export async function addBinaries(name: ImageName, folder: string): Promise<void> {
  const nodePackage = `node-linux-${process.arch}`
  await copyInto(folder, join(checkout, 'node_modules', nodePackage, 'bin/node'), 'bin/node', 0o755)
  if (name === 'scanner') {
    for (const engine of goEngines) await copyInto(folder, await buildGoEngine(engine), `bin/${engine}`, 0o755)
  }
  await writeFile(join(folder, 'host-ca.crt'), await hostAuthorities())
}

async function collectOperator(folder: string): Promise<string[]> {
  await copyInto(folder, join(checkout, 'operator/Dockerfile'), 'Dockerfile')
  await program(folder, join(checkout, 'operator/main.ts'), 'app/scanfleet.mjs')
  // The gateway looks for its worker beside the bundle.
  await program(folder, join(checkout, 'operator/gateway/results/worker.ts'), 'app/result-worker.mjs')
  return [await nodeVersion()]
}

async function collectScanner(folder: string): Promise<string[]> {
  await copyInto(folder, join(scanner, 'Dockerfile'), 'Dockerfile')
  await copyInto(folder, join(scanner, 'engines/semgrep/requirements.txt'), 'requirements.txt')
  await copyInto(folder, join(scanner, 'clone/credential-helper.sh'), 'libexec/scanfleet-credential-helper', 0o755)
  await program(folder, join(scanner, 'clone/main.ts'), 'app/clone.mjs')
  await program(folder, join(scanner, 'scan/main.ts'), 'app/scan.mjs')
  await collectRules(join(folder, 'data/rules'))
  await collectAdvisories(join(folder, 'data/advisories/osv-scalibr'))
  const versions: Record<string, string> = { semgrep: await semgrepVersion() }
  for (const engine of goEngines) versions[engine] = await goEngineVersion(engine)
  await writeFile(join(folder, 'data/engines.json'), JSON.stringify(versions))
  const sums = await Promise.all(
    goEngines.map((engine) => readFile(join(scanner, 'engines', engine, 'go.sum'), 'utf8')),
  )
  return [await nodeVersion(), ...sums]
}

async function program(folder: string, entry: string, name: string): Promise<void> {
  const outfile = join(folder, name)
  await bundle({ entry, outfile, interpreter: node })
  await chmod(outfile, 0o755)
}

/** Rules without their test cases, which are code that would be scanned. */
async function collectRules(folder: string): Promise<void> {
  const rules = join(scanner, 'rules')
  await cp(rules, folder, {
    recursive: true,
    filter: async (source) =>
      (await stat(source)).isDirectory() || /(?<!\.test)\.yaml$/.test(source) || source.endsWith('gitleaks.toml'),
  })
}

/** One archive per ecosystem, dated by its newest record. */
async function collectAdvisories(folder: string): Promise<void> {
  const records = join(scanner, 'advisories')
  const entries = await readdir(records, { withFileTypes: true })
  for (const ecosystem of entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)) {
    const files = new Map<string, Buffer>()
    let newest = 0
    for (const file of await readdir(join(records, ecosystem))) {
      const content = await readFile(join(records, ecosystem, file))
      files.set(file, content)
      newest = Math.max(newest, Date.parse((JSON.parse(content.toString()) as { modified: string }).modified))
    }
    const archive = join(folder, ecosystem, 'all.zip')
    await mkdir(dirname(archive), { recursive: true })
    await writeFile(archive, zip(files))
    await utimes(archive, newest / 1000, newest / 1000)
  }
}

async function nodeVersion(): Promise<string> {
  const manifest = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>
  }
  const version = manifest.optionalDependencies[`node-linux-${process.arch}`]
  if (version === undefined) throw new Error(`There is no Node for ${process.arch} in package.json.`)
  return version
}

async function semgrepVersion(): Promise<string> {
  const text = await readFile(join(scanner, 'engines/semgrep/requirements.txt'), 'utf8')
  const version = /^semgrep==(\S+)/m.exec(text)?.[1]
  if (version === undefined) throw new Error('requirements.txt does not pin semgrep.')
  return version
}

/** What this machine trusts, for the stages that fetch packages behind a proxy that inspects TLS. */
async function hostAuthorities(): Promise<string> {
  const named = [process.env['SSL_CERT_FILE'], process.env['NODE_EXTRA_CA_CERTS'], '/etc/ssl/certs/ca-certificates.crt']
  for (const path of named) {
    if (path === undefined) continue
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  return ''
}

async function copyInto(folder: string, source: string, name: string, mode = 0o644): Promise<void> {
  const target = join(folder, name)
  await mkdir(dirname(target), { recursive: true })
  await copyFile(source, target)
  await chmod(target, mode)
}
