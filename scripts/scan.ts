/**
 * `make scan DIR=path OUT=file.sarif`: scans any folder with the scanner image, without a cluster and without a
 * network, writes the merged SARIF and prints the findings as a table.
 */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { readFile, rename, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { terminationSchema } from '../operator/scan/contract/exit.ts'
import { severityNames } from '../operator/scan/contract/result.ts'
import { type SarifLog, type SarifResult, sarifLogSchema } from '../operator/scan/contract/sarif.ts'
import { loadImage } from './images/build.ts'

const usage = 'Usage: make scan DIR=path [OUT=file.sarif]'

async function main(folder: string, out: string): Promise<number> {
  const found = await stat(folder).catch(() => undefined)
  if (!found?.isDirectory()) {
    process.stderr.write(`${folder} is no folder. ${usage}\n`)
    return 2
  }
  const { docker, image } = await loadImage('scanner')
  const args = ['--rm', '--network', 'none', '--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL']
  const child = spawn(
    'docker',
    [
      'run',
      ...args,
      ...asOwner(found),
      '--volume',
      `${resolve(folder)}:/src:ro`,
      image.ref,
      'scanfleet-scan',
      'local',
      '/src',
    ],
    {
      env: docker.host === undefined ? process.env : { ...process.env, DOCKER_HOST: docker.host },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-20_000)
  })
  const ended = new Promise<number>((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) => done(code ?? 1))
  })
  const draft = `${out}.draft`
  await pipeline(child.stdout, createWriteStream(draft))
  const code = await ended
  if (code !== 0) {
    process.stderr.write(`The scan failed, so nothing is known about ${folder}: ${reasonOf(errors)}\n`)
    return code
  }
  await rename(draft, out)
  print(sarifLogSchema.parse(JSON.parse(await readFile(out, 'utf8'))))
  process.stdout.write(`\nSARIF: ${out}\n`)
  return 0
}

/** As the folder's owner, the scan reads what its owner can. */
function asOwner({ uid, gid }: { uid: number; gid: number }): string[] {
  return ['--user', `${uid}:${gid}`]
}

function reasonOf(errors: string): string {
  const line = errors.trim().split('\n').at(-1) ?? ''
  try {
    const { reason, message } = terminationSchema.parse(JSON.parse(line))
    return `${reason}: ${message}`
  } catch {
    return line
  }
}

function print(sarif: SarifLog): void {
  const results = sarif.runs.flatMap(({ results }) => results)
  const ordered = results.sort((a, b) => rank(a) - rank(b))
  const rows = ordered.map(({ ruleId, properties, locations: [location] }) => {
    const place = location?.physicalLocation
    return [
      properties.severity,
      properties.product,
      ruleId,
      `${place?.artifactLocation.uri}:${place?.region.startLine}`,
    ]
  })
  const table = [['SEVERITY', 'PRODUCT', 'RULE', 'PLACE'], ...rows]
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  for (const row of table) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  }
  const counts = severityNames.map(
    (name) => `${results.filter(({ properties }) => properties.severity === name).length} ${name}`,
  )
  process.stdout.write(`\n${results.length} findings: ${counts.join(', ')}\n`)
}

function rank({ properties }: SarifResult): number {
  return severityNames.indexOf(properties.severity)
}

const [folder, out] = process.argv.slice(2)
if (!folder) {
  process.stderr.write(`${usage}\n`)
  process.exitCode = 2
} else {
  process.exitCode = await main(folder, out || 'scan.sarif')
}
