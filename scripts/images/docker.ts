/**
 * A Docker engine to build with: the one that is reachable, or, as root, one of our own. Our own leaves the machine's
 * firewall alone, keeps its data in the cache, and is stopped by its recorded process id. Invariant: an engine that we
 * did not start is never stopped.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run, succeeds } from './command.ts'
import { withLock } from './lock.ts'
import { cacheFolder, checkout } from './paths.ts'

export type Docker = {
  /** Value for DOCKER_HOST; undefined when the machine's own default is right. */
  readonly host: string | undefined
  readonly own: boolean
  /** Runs `docker ARGS` against this engine. */
  readonly command: (args: readonly string[], show?: boolean) => Promise<string>
}

const bridge = { name: 'scanfleet-img0', address: '172.29.7.1/24' } as const
const startMilliseconds = 60_000

/** The engine, started when necessary. @throws Error with what to do, when there is none and we may not start one */
export async function ensureDocker(): Promise<Docker> {
  if (await succeeds('docker', ['version'])) return client(undefined)
  const { socket } = places()
  if (await answers(socket)) return client(socket)
  if (process.getuid?.() !== 0) {
    throw new Error(
      'No Docker engine answers. Start one that you may use, or run this as root so that it starts its own.',
    )
  }
  await run(join(checkout, 'scripts/ensure-packages.sh'), ['docker.io', 'iproute2'], { show: true })
  return await withLock(lock(), async () => {
    if (!(await answers(socket))) await start()
    return client(socket)
  })
}

/** Stops our own engine, if it runs. */
export async function stopDocker(): Promise<void> {
  await withLock(lock(), stop)
}

async function stop(): Promise<void> {
  const { pidFile, runtime } = places()
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''))
  if (pid > 0 && (await isOurs(pid))) {
    process.kill(pid, 'SIGTERM')
    const deadline = Date.now() + 30_000
    while ((await isOurs(pid)) && Date.now() < deadline) await sleep(100)
    if (await isOurs(pid)) process.kill(pid, 'SIGKILL')
  }
  await clear(runtime)
  if (await succeeds('ip', ['link', 'show', bridge.name])) await run('ip', ['link', 'delete', bridge.name])
}

function lock(): string {
  return cacheFolder('docker.lock')
}

/** Removes a folder of an engine that ended, which may have left mounts in it. */
async function clear(folder: string): Promise<void> {
  const mounts = await readFile('/proc/self/mounts', 'utf8')
  const below = mounts
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
  for (const path of below.reverse()) await run('umount', ['--lazy', path])
  await rm(folder, { recursive: true, force: true })
}

function places(): { data: string; runtime: string; socket: string; pidFile: string; log: string; config: string } {
  const home = cacheFolder('docker')
  const runtime = join(home, 'run')
  return {
    data: join(home, 'data'),
    runtime,
    socket: join(runtime, 'docker.sock'),
    pidFile: join(runtime, 'dockerd.pid'),
    log: join(home, 'dockerd.log'),
    config: join(runtime, 'daemon.json'),
  }
}

function client(socket: string | undefined): Docker {
  const host = socket === undefined ? undefined : `unix://${socket}`
  const env = host === undefined ? process.env : { ...process.env, DOCKER_HOST: host }
  return {
    host,
    own: socket !== undefined,
    command: (args, show = false) => run('docker', args, { env, show }),
  }
}

function answers(socket: string): Promise<boolean> {
  return succeeds('docker', ['--host', `unix://${socket}`, 'version'])
}

async function start(): Promise<void> {
  const { data, runtime, socket, pidFile, log, config } = places()
  await clear(runtime)
  await mkdir(data, { recursive: true })
  await mkdir(runtime, { recursive: true })
  // An empty configuration of its own: the machine's, if any, is for another engine.
  await writeFile(config, '{}')
  if (!(await succeeds('ip', ['link', 'show', bridge.name]))) {
    await run('ip', ['link', 'add', bridge.name, 'type', 'bridge'])
    await run('ip', ['address', 'add', bridge.address, 'dev', bridge.name])
  }
  await run('ip', ['link', 'set', bridge.name, 'up'])
  const output = openSync(log, 'a')
  const child = spawn(
    'dockerd',
    [
      ...['--host', `unix://${socket}`, '--data-root', data, '--exec-root', join(runtime, 'exec')],
      ...['--pidfile', pidFile, '--config-file', config, '--bridge', bridge.name],
      // The firewall belongs to the cluster that may run beside it; builds use the host's network.
      ...['--iptables=false', '--ip6tables=false', '--ip-masq=false', '--ip-forward=false'],
    ],
    { detached: true, stdio: ['ignore', output, output] },
  )
  closeSync(output)
  child.unref()
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`dockerd ended with ${code}; its log is ${log}`)))
  })
  ended.catch(() => undefined)
  const deadline = Date.now() + startMilliseconds
  while (!(await Promise.race([answers(socket), ended]))) {
    if (Date.now() > deadline) throw new Error(`dockerd did not answer in time; its log is ${log}`)
    await sleep(200)
  }
}

/** A recorded process id may have been given to another program since. */
async function isOurs(pid: number): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return commandLine.includes('dockerd') && commandLine.includes(places().socket)
}
