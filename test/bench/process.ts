/**
 * One job: run the operator's bundle as its pod would: the file of the image, with the flags that the image gives Node, the
 * service account at its usual place. Invariant: the machine's own /run is not touched, since the process sees a copy of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubeClient } from '../../operator/kube/client.ts'
import type { Resource } from '../../operator/kube/resources.ts'

export interface OperatorProcess {
  readonly pid: number
  readonly logFile: string
  /** Resident memory now, in bytes. */
  residentBytes(): number
  /** Ends it in good order. @throws when it had ended by itself before. */
  stop(): Promise<void>
}

export interface OperatorProcessOptions {
  readonly bundle: string
  readonly args: readonly string[]
  /** Folder with token, ca.crt and namespace. */
  readonly serviceAccount: string
  /** Base address of the API server. */
  readonly server: string
  readonly logFile: string
  /** Further flags of Node, such as --cpu-prof; none in a measurement. */
  readonly nodeFlags?: readonly string[]
}

/** Puts the service account where pods have it, in a mount namespace of its own, and becomes the program. */
const become = `set -eu
mount -t tmpfs none /var/run
mkdir -p /var/run/secrets/kubernetes.io
cp -r "$1" /var/run/secrets/kubernetes.io/serviceaccount
shift
exec "$@"`

export function startOperatorProcess(options: OperatorProcessOptions): OperatorProcess {
  const { bundle, args, serviceAccount, server, logFile, nodeFlags = [] } = options
  const { hostname, port } = new URL(server)
  const log = openSync(logFile, 'a')
  const ownMounts = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user']
  const command = [process.execPath, ...flagsOfImage(), ...nodeFlags, bundle, ...args]
  const child = spawn('unshare', [...ownMounts, 'sh', '-c', become, 'sh', serviceAccount, ...command], {
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port || '443',
    },
  })
  closeSync(log)
  if (child.pid === undefined) throw new Error('the operator could not be started: unshare is missing')
  const { pid } = child
  return {
    pid,
    logFile,
    residentBytes: () => residentBytes(pid),
    stop: () => stop(child, logFile),
  }
}

/** `ENTRYPOINT ["node", …flags, program]` of the operator's Dockerfile. */
function flagsOfImage(): readonly string[] {
  const dockerfile = readFileSync(join(import.meta.dirname, '..', '..', 'operator', 'Dockerfile'), 'utf8')
  const entrypoint: unknown = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]')
  if (!Array.isArray(entrypoint) || entrypoint[0] !== 'node')
    throw new Error('the operator image does not start with Node')
  return entrypoint.slice(1, -1).map(String)
}

/** What Node takes by itself, before any line of ours. */
export async function bareNodeBytes(): Promise<number> {
  const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000); process.stdout.write("x")'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const bytes = residentBytes(child.pid ?? 0)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  return bytes
}

function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  if (kibibytes === undefined) throw new Error(`process ${pid} has no memory any more`)
  return Number(kibibytes) * 1024
}

async function stop(child: ChildProcess, logFile: string): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    throw new Error(`the operator ended by itself:\n${readFileSync(logFile, 'utf8').slice(-2000)}`)
  }
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

interface TokenRequest {
  readonly status?: { readonly token?: string }
}

/** Writes token, authority and namespace of a service account into a folder, as the kubelet does for its pods. */
export async function writeServiceAccount(
  client: KubeClient,
  account: { readonly namespace: string; readonly name: string },
  caPem: string,
  folder: string,
): Promise<void> {
  const requests: Resource<TokenRequest> = {
    group: '',
    version: 'v1',
    plural: `serviceaccounts/${account.name}/token`,
    kind: 'TokenRequest',
  }
  const wanted = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 86_400 } }
  const { status } = await client.create(requests, account.namespace, wanted)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'token'), status?.token ?? '', { mode: 0o600 })
  await writeFile(join(folder, 'ca.crt'), caPem)
  await writeFile(join(folder, 'namespace'), account.namespace)
}
