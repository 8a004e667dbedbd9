/**
 * Builds an image and keeps it as an archive that a node imports without a registry. Invariant: the tag is the hash of
 * what the image is made of, so an image that is there already is never built again.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureBase } from './base.ts'
import { succeeds } from './command.ts'
import { addBinaries, collect, type ImageName } from './context.ts'
import { type Docker, ensureDocker } from './docker.ts'
import { withLock } from './lock.ts'
import { cacheFolder } from './paths.ts'

export type BuiltImage = {
  /** `scanfleet.dev/<name>:<hash>`; pods use it with imagePullPolicy Never or IfNotPresent. */
  readonly ref: string
  /** Path for `ctr --namespace k8s.io images import` or `docker load`. */
  readonly archive: string
  /** The image's id, `sha256:…`: the digest of its configuration. */
  readonly digest: string
}

const keptImages = 3

/** Milliseconds when nothing changed, a minute or two when it did, several the very first time. */
export async function buildImage(name: ImageName): Promise<BuiltImage> {
  const home = cacheFolder('images')
  await mkdir(home, { recursive: true })
  const context = await mkdtemp(join(home, `${name}-context-`))
  try {
    const tag = (await collect(name, context)).slice(0, 16)
    const image = { ref: `scanfleet.dev/${name}:${tag}`, archive: join(home, `${name}-${tag}.tar`) }
    return (
      (await kept(image)) ??
      (await withLock(
        join(home, `${name}.lock`),
        async () => (await kept(image)) ?? (await build(name, context, image)),
      ))
    )
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

/** Loads the image into the engine that `ensureDocker` finds, for those who run it there. */
export async function loadImage(name: ImageName): Promise<{ docker: Docker; image: BuiltImage }> {
  const image = await buildImage(name)
  const docker = await ensureDocker()
  const there = await docker.command(['image', 'inspect', '--format', '{{.Id}}', image.ref]).catch(() => '')
  if (there === '') await docker.command(['load', '--quiet', '--input', image.archive])
  return { docker, image }
}

type Place = Pick<BuiltImage, 'ref' | 'archive'>

async function kept(image: Place): Promise<BuiltImage | undefined> {
  const digest = await readFile(`${image.archive}.digest`, 'utf8').catch(() => undefined)
  if (digest === undefined || !(await stat(image.archive).catch(() => undefined))) return undefined
  return { ...image, digest }
}

async function build(name: ImageName, context: string, image: Place): Promise<BuiltImage> {
  await addBinaries(name, context)
  const docker = await ensureDocker()
  const dockerfile = await readFile(join(context, 'Dockerfile'), 'utf8')
  const pinned = /^ARG BASE=(\S+)/m.exec(dockerfile)?.[1]
  if (pinned === undefined) throw new Error(`The Dockerfile of ${name} names no base.`)
  const base = await ensureBase(docker, pinned)
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']
  const proxyArguments = proxies.filter((key) => process.env[key]).flatMap((key) => ['--build-arg', key])
  const builder = (await succeeds('docker', ['buildx', 'version'])) ? ['buildx', 'build', '--load'] : ['build']
  await docker.command(
    [...builder, '--network', 'host', '--build-arg', `BASE=${base}`, ...proxyArguments, '--tag', image.ref, context],
    true,
  )
  const digest = await docker.command(['image', 'inspect', '--format', '{{.Id}}', image.ref])
  await docker.command(['save', '--output', `${image.archive}.draft`, image.ref])
  await rename(`${image.archive}.draft`, image.archive)
  await writeFile(`${image.archive}.digest`, digest)
  await forgetOld(name, docker)
  return { ...image, digest }
}

/** Each change of the sources leaves an image behind; the newest few are enough to go back and forth. */
async function forgetOld(name: ImageName, docker: Docker): Promise<void> {
  const home = cacheFolder('images')
  const archives = (await readdir(home)).filter((file) => file.startsWith(`${name}-`) && file.endsWith('.tar'))
  const dated = await Promise.all(
    archives.map(async (file) => ({ file, time: (await stat(join(home, file))).mtimeMs })),
  )
  for (const { file } of dated.sort((a, b) => b.time - a.time).slice(keptImages)) {
    await rm(join(home, `${file}.digest`), { force: true })
    await rm(join(home, file), { force: true })
    const tag = file.slice(name.length + 1, -'.tar'.length)
    // An image that a container still uses stays.
    if (docker.own) await docker.command(['image', 'rm', `scanfleet.dev/${name}:${tag}`]).catch(() => undefined)
  }
}
