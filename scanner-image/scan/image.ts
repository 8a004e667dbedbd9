/** Where things lie in the scanner image, and which versions of the engines it holds. The Dockerfile puts them there. */
import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import type { ImagePaths } from '../engines/engine.ts'

/** A cluster mounts the full public advisory database here; when the folder exists it counts instead of the starter set. */
const mountedAdvisories = '/var/lib/scanfleet/advisories'

const home = '/opt/scanfleet'

export async function imagePaths(): Promise<ImagePaths> {
  const mounted = await stat(mountedAdvisories).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return {
    semgrepCore: '/opt/semgrep/semgrep/bin/osemgrep',
    semgrepPython: '/opt/semgrep',
    gitleaks: '/usr/local/bin/gitleaks',
    osvScanner: '/usr/local/bin/osv-scanner',
    rules: `${home}/rules`,
    gitleaksConfig: `${home}/rules/secrets/gitleaks.toml`,
    advisories: mounted ? mountedAdvisories : `${home}/advisories`,
  }
}

const versionsSchema = z.object({ semgrep: z.string(), gitleaks: z.string(), 'osv-scanner': z.string() })

export type EngineVersions = z.output<typeof versionsSchema>

/** As pinned when the image was built. */
export async function engineVersions(): Promise<EngineVersions> {
  return versionsSchema.parse(JSON.parse(await readFile(`${home}/engines.json`, 'utf8')))
}
