/** One job: remove all that the demo made, also what an interrupted or crashed one left. Does nothing when there is nothing. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { stopCluster, stopInterrupted, toolPath } from '../../test/kubernetes/cluster.ts'
import { stopDocker } from '../images/docker.ts'
import { stopCodeHost } from './codehost.ts'
import { type Access, helm, kubectl, kubectlJson } from './kubectl.ts'
import type { Progress } from './progress.ts'
import { type DemoRecord, forgetAll, readRecord, remember } from './record.ts'
import { clusterName, namespaces, release, root } from './settings.ts'

/** @param interrupted a start of the cluster by this very process was cut off, and holds its lock */
export async function takeDown(progress: Progress, interrupted = false): Promise<void> {
  const record = readRecord()
  if (record.context !== undefined) {
    await progress.step(`uninstall from ${record.context}`, () => uninstall(record, record.context as string))
  }
  if (record.codeHost) await progress.step('stop the demo code host', stopCodeHost)
  if (record.cluster) {
    await progress.step('remove the cluster', () =>
      interrupted ? stopInterrupted(clusterName) : stopCluster(clusterName),
    )
    remember({ cluster: undefined })
  }
  if (record.imageBuilder) await progress.step('stop the image builder', stopDocker)
  forgetAll()
}

/** What of ours an existing cluster has already, so that it is not taken for the demo's later. */
export async function rememberWhatIsThere(access: Access): Promise<void> {
  if (readRecord().context === access.context) return
  const definitions = await kubectl(access, ['get', 'crd', '-o', 'name'])
  const existing = await kubectl(access, ['get', 'namespaces', '-o', 'name'])
  const made = {
    definitions: !definitions.includes('.scanfleet.dev'),
    namespaces: Object.values(namespaces).filter((name) => !existing.split('\n').includes(`namespace/${name}`)),
  }
  await refuseForeignRelease(access)
  remember({ context: access.context, made })
}

async function refuseForeignRelease(access: Access): Promise<void> {
  const found = z
    .array(z.unknown())
    .parse(JSON.parse(await helm(access, ['list', '-n', namespaces.operator, '-f', `^${release}$`, '-o', 'json'])))
  if (found.length === 0) return
  throw new Error(
    `Context ${access.context} has a release ${release} in ${namespaces.operator} that this demo did not install. ` +
      'The demo leaves it alone: use another cluster.',
  )
}

async function uninstall({ made }: DemoRecord, context: string): Promise<void> {
  const access: Access = { kubectl: await toolPath('kubectl'), helm: await toolPath('helm'), context }
  // The team's objects go while the controller still runs, so that finalizers are served.
  if (made?.namespaces.includes(namespaces.team)) await remove(access, 'namespace', namespaces.team)
  await helm(access, [
    'uninstall',
    release,
    '-n',
    namespaces.operator,
    '--ignore-not-found',
    '--wait',
    '--timeout',
    '3m',
  ])
  for (const name of made?.namespaces ?? []) await remove(access, 'namespace', name)
  if (made?.definitions) for (const name of definitionNames()) await remove(access, 'crd', name)
  await kubectlJson(access, ['get', 'namespaces']) // proves that the cluster still answers before it is forgotten
}

function remove(access: Access, kind: string, name: string): Promise<string> {
  return kubectl(access, ['delete', kind, name, '--ignore-not-found', '--wait', '--timeout=3m'])
}

function definitionNames(): readonly string[] {
  const templates = join(root, 'charts', 'scanfleet', 'templates', 'crds')
  return readdirSync(templates).map((file) => `${file.replace(/\.yaml$/, '')}.scanfleet.dev`)
}
