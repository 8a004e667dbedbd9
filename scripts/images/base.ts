/**
 * The base of both images: Debian's slim image by digest where the engine can pull it, else the same suite made with
 * debootstrap, once, and kept in the cache.
 */
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { run, succeeds } from './command.ts'
import type { Docker } from './docker.ts'
import { cacheFolder, checkout } from './paths.ts'

const suite = 'trixie'
const mirror = process.env['SCANFLEET_DEBIAN_MIRROR'] ?? 'http://deb.debian.org/debian'
const localReference = `scanfleet.dev/base:${suite}`
const pullMilliseconds = 60_000

/** A reference that `FROM` takes. `SCANFLEET_BASE_IMAGE` names another, which must be a Debian of the same suite. */
export async function ensureBase(docker: Docker, pinned: string): Promise<string> {
  const wanted = process.env['SCANFLEET_BASE_IMAGE']
  if (wanted !== undefined) return wanted
  if (await has(docker, localReference)) return localReference
  if (!docker.own && (await pulls(pinned))) return pinned
  const archive = await debootstrap()
  await docker.command(['import', archive, localReference])
  return localReference
}

async function has(docker: Docker, reference: string): Promise<boolean> {
  return await docker.command(['image', 'inspect', reference]).then(
    () => true,
    () => false,
  )
}

function pulls(reference: string): Promise<boolean> {
  return succeeds('docker', ['pull', '--quiet', reference], { timeoutMilliseconds: pullMilliseconds })
}

/** Path of a tar archive of the root file system. */
async function debootstrap(): Promise<string> {
  const folder = cacheFolder('images')
  const archive = join(folder, `debian-${suite}.tar`)
  if (await stat(archive).catch(() => undefined)) return archive
  if (process.getuid?.() !== 0) {
    throw new Error(
      'No registry can be reached, and making a Debian base needs root. Name one by SCANFLEET_BASE_IMAGE.',
    )
  }
  await run(join(checkout, 'scripts/ensure-packages.sh'), ['debootstrap'], { show: true })
  const root = join(folder, `debian-${suite}.rootfs`)
  await rm(root, { recursive: true, force: true })
  await mkdir(root, { recursive: true })
  await run('nice', ['-n', '10', 'debootstrap', '--variant=minbase', suite, root, mirror], { show: true })
  const contents = [
    '--exclude=./proc/*',
    '--exclude=./sys/*',
    '--exclude=./dev/*',
    '--exclude=./var/cache/apt/archives/*.deb',
  ]
  await run('tar', ['--numeric-owner', '-C', root, ...contents, '-cf', `${archive}.draft`, '.'])
  await rename(`${archive}.draft`, archive)
  await rm(root, { recursive: true, force: true })
  return archive
}
