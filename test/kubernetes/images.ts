/**
 * One job: container images without a registry: write tiny ones, and load archives into a node.
 * The archives are what `docker save` writes, so every tool can read them.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execute, type RecordedProcess } from './processes.ts'
import { inside } from './sandbox.ts'

/** The container that holds a pod's namespaces. */
export const pauseImage = 'localhost/scanfleet-pause:1'
/** A program that listens, dials, and says who it is, see go/kubernetes/probe. */
export const probeImage = 'localhost/scanfleet-probe:1'

export interface ImageOptions {
  readonly name: string
  /** A static program, which becomes the image's only file and its entry point. */
  readonly program: string
  readonly archive: string
}

export function writePauseImage(program: string, archive: string): void {
  writeImage({ name: pauseImage, program, archive })
}

export function writeProbeImage(program: string, archive: string): void {
  writeImage({ name: probeImage, program, archive })
}

/** Writes a FROM-scratch image that runs as user 65532. */
export function writeImage(options: ImageOptions): void {
  const layer = tar([{ name: 'program', mode: 0o755, content: readFileSync(options.program) }])
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Entrypoint: ['/program'], User: '65532:65532' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
  })
  const configName = `${sha256(Buffer.from(config))}.json`
  const manifest = [{ Config: configName, RepoTags: [options.name], Layers: ['layer.tar'] }]
  const files = [
    { name: 'manifest.json', mode: 0o644, content: Buffer.from(JSON.stringify(manifest)) },
    { name: configName, mode: 0o644, content: Buffer.from(config) },
    { name: 'layer.tar', mode: 0o644, content: layer },
  ]
  writeFileSync(options.archive, tar(files))
}

/** Loads an archive of `docker save` or an OCI archive into the containerd of a sandbox. */
export async function importImage(sandbox: RecordedProcess, containerdBin: string, archive: string): Promise<void> {
  const ctr = join(containerdBin, 'ctr')
  await execute(
    inside(sandbox, [
      ctr,
      '--address=/run/containerd/containerd.sock',
      '--namespace=k8s.io',
      'images',
      'import',
      archive,
    ]),
  )
}

interface TarFile {
  readonly name: string
  readonly mode: number
  readonly content: Buffer
}

/** A tar archive of a few files with short names, the same bytes for the same files. */
function tar(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap(({ name, mode, content }) => {
    const header = Buffer.alloc(512)
    header.write(name, 0)
    header.write(octal(mode, 8), 100)
    header.write(octal(0, 8), 108)
    header.write(octal(0, 8), 116)
    header.write(octal(content.length, 12), 124)
    header.write(octal(0, 12), 136)
    header.write('        0', 148)
    header.write('ustar\u000000', 257)
    header.write(
      octal(
        header.reduce((sum, byte) => sum + byte, 0),
        8,
      ),
      148,
    )
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
