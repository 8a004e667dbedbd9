/** One job: build both images and bring them to the nodes of the target cluster. */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Cluster } from '../../test/kubernetes/cluster.ts'
import { type BuiltImage, buildImage, loadImage } from '../images/build.ts'
import { cacheFolder } from '../images/paths.ts'
import { type Access, execute, kubectlJson } from './kubectl.ts'
import { remember } from './record.ts'
import { demoFolder, root, type Target } from './settings.ts'

export const imageNames = ['operator', 'scanner'] as const
type ImageName = (typeof imageNames)[number]

/** References as the chart wants them. */
export type Images = Readonly<Record<ImageName, { readonly repository: string; readonly tag: string }>>

const patienceMs = 30_000

/** What the builders print goes to a log, of which a person is told; its end is shown when a build fails. */
export async function buildImages(note: (line: string) => void): Promise<Readonly<Record<ImageName, BuiltImage>>> {
  const engineRan = engineRuns()
  if (!engineRan) remember({ imageBuilder: true })
  mkdirSync(demoFolder, { recursive: true })
  const logFile = join(demoFolder, 'images.log')
  const log = openSync(logFile, 'w')
  const timer = setInterval(() => note(`building; ${logFile} tells the details`), patienceMs)
  try {
    const program = join(root, 'scripts', 'images', 'main.ts')
    const child = spawn(process.execPath, [program, 'build', 'all'], { stdio: ['ignore', log, log] })
    const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
    if (code !== 0)
      throw new Error(`The images could not be built:\n${readFileSync(logFile, 'utf8').trimEnd().slice(-3000)}`)
  } finally {
    clearInterval(timer)
    closeSync(log)
  }
  if (!engineRan && !engineRuns()) remember({ imageBuilder: undefined })
  return { operator: await buildImage('operator'), scanner: await buildImage('scanner') }
}

/** An engine that runs already belongs to somebody else's build and is left to them. */
function engineRuns(): boolean {
  return existsSync(cacheFolder('docker', 'run', 'dockerd.pid'))
}

/** @returns what pods have to ask for. @throws a sentence when there is no way to bring an image to an existing cluster. */
export async function deliverImages(
  built: Readonly<Record<ImageName, BuiltImage>>,
  target: Target,
  access: Access,
  cluster: Cluster | undefined,
): Promise<Images> {
  if (target.kind === 'Context' && target.registry) return pushImages(built, target.registry)
  const there = await namesOnNodes(access)
  for (const name of imageNames) {
    const { ref, archive } = built[name]
    if (there.some((known) => known.endsWith(ref))) continue
    if (cluster) await cluster.loadImage(archive)
    else await loadIntoKnownTool(archive, access.context)
  }
  return { operator: split(built.operator.ref), scanner: split(built.scanner.ref) }
}

async function pushImages(built: Readonly<Record<ImageName, BuiltImage>>, registry: string): Promise<Images> {
  const references = { operator: '', scanner: '' }
  for (const name of imageNames) {
    const { docker, image } = await loadImage(name)
    const reference = `${registry}/scanfleet-${name}:${split(built[name].ref).tag}`
    await docker.command(['tag', image.ref, reference])
    await docker.command(['push', '--quiet', reference])
    references[name] = reference
  }
  return { operator: split(references.operator), scanner: split(references.scanner) }
}

/** Tools that run a cluster on this machine name their contexts after themselves. */
async function loadIntoKnownTool(archive: string, context: string): Promise<void> {
  if (context.startsWith('kind-')) await execute('kind', ['load', 'image-archive', archive, '--name', context.slice(5)])
  else if (context.startsWith('k3d-')) await execute('k3d', ['image', 'import', archive, '--cluster', context.slice(4)])
  else if (context === 'minikube') await execute('minikube', ['image', 'load', archive])
  else {
    throw new Error(
      `How images reach the cluster of context ${context} is not known. ` +
        'Set SCANFLEET_REGISTRY to a registry that you may push to and the cluster may pull from, such as registry.example.com/team.',
    )
  }
}

const nodesSchema = z.object({
  items: z.array(
    z.object({
      status: z.object({ images: z.array(z.object({ names: z.array(z.string()).default([]) })).default([]) }),
    }),
  ),
})

/** Names of images that every node has. */
async function namesOnNodes(access: Access): Promise<readonly string[]> {
  const { items } = nodesSchema.parse(await kubectlJson(access, ['get', 'nodes']))
  const [first = [], ...others] = items.map(({ status }) => status.images.flatMap(({ names }) => names))
  return first.filter((name) => others.every((names) => names.includes(name)))
}

function split(reference: string): { repository: string; tag: string } {
  const at = reference.lastIndexOf(':')
  return { repository: reference.slice(0, at), tag: reference.slice(at + 1) }
}
