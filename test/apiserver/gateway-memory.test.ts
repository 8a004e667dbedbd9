import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { issueAuthority } from '../../operator/tls/certificates.ts'
import { createRepository, createWaitingRun, makeFolder, type WaitingRun } from '../support/gateway.ts'
import { openControlPlane } from '../support/kubernetes.ts'
import { anUpload } from '../support/results.ts'

const megabyte = 1024 * 1024
/** What the chart gives the gateway by default. */
const memoryLimit = 512 * megabyte

const filled = (part: string, bytes: number) => `[${part.repeat(Math.floor(bytes / Buffer.byteLength(part)))}0]`
const attacks: Readonly<Record<string, () => Buffer>> = {
  'a gigabyte of zeros': () => Buffer.alloc(1024 * megabyte),
  'as many small objects as are allowed': () => Buffer.from(filled('{"a":[]},', 320_000 * 9)),
  'as many different keys as are allowed': () =>
    Buffer.from(`{${Array.from({ length: 950_000 }, (_, index) => `"k${index}":1`).join()}}`),
  'as many texts as fit': () => Buffer.from(filled(`"${'x'.repeat(60)}",`, 31 * megabyte)),
  'texts that take two bytes for each letter': () => Buffer.from(filled(`"漢${'a'.repeat(60_000)}",`, 31 * megabyte)),
}

test('the gateway stays within its memory whatever pods upload at once, and still takes results', async (context) => {
  const plane = await openControlPlane()
  const namespace = await plane.createNamespace('memory')
  const folder = await makeFolder()
  await createRepository(plane.client, namespace, 'shop')
  const gateway = await startProcess(plane.cluster.kubeconfig, namespace, folder.path)
  try {
    for (const [name, make] of Object.entries(attacks)) {
      const body = gzipSync(make(), { level: 1 })
      const runs = await Promise.all([1, 2, 3].map(() => createWaitingRun(plane.client, namespace, 'shop')))
      const answers = await Promise.all(runs.map((run) => gateway.upload(run, body)))
      context.diagnostic(`${name}: ${answers.join()}, peak ${Math.round((await gateway.peakMemory()) / megabyte)} MB`)
      assert.ok((await gateway.peakMemory()) < memoryLimit, name)
    }
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    assert.equal(await gateway.upload(run, gzipSync(JSON.stringify(anUpload([])))), 200)
  } finally {
    await gateway.stop()
    await folder.remove()
    await plane.close()
  }
})

/** The gateway as the image runs it, in a process of its own. */
async function startProcess(kubeconfig: string, namespace: string, folder: string) {
  const certificates = await issueAuthority(['localhost'], new Date())
  await writeFile(join(folder, 'tls.crt'), certificates.cert)
  await writeFile(join(folder, 'tls.key'), certificates.key)
  const ports = ['--port', '--fence-canary-port', '--metrics-port', '--health-port'].flatMap((flag) => [flag, '0'])
  const flags = ['--namespace', namespace, '--watch-namespaces', namespace, '--tls-directory', folder]
  const main = join(import.meta.dirname, '../../operator/main.ts')
  const child = spawn(
    process.execPath,
    [main, 'gateway', ...ports, ...flags, '--sqlite-file', join(folder, 'findings.db')],
    { env: { ...process.env, KUBECONFIG: kubeconfig }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(child, 'exit')
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, ports: open } = JSON.parse(line)
      if (msg === 'gateway serves') resolve(open.https)
    })
    child.once('exit', (code) => reject(new Error(`the gateway ended with ${code}`)))
  })
  return {
    upload: (run: WaitingRun, body: Buffer) => upload(port, certificates.ca, run, body),
    /** The most resident memory that the process ever had, in bytes. */
    async peakMemory() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function upload(port: number, ca: string, run: WaitingRun, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${run.token}`, 'content-length': body.length }
    const path = `/api/v1/scans/${run.uid}/1/result`
    const sending = request(
      { host: 'localhost', port, ca, method: 'POST', path, headers, agent: false },
      (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0))
      },
    )
    sending.on('error', reject)
    sending.end(body)
  })
}
