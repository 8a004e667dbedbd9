/** One job: clusters from the command line. `node test/kubernetes/main.ts help` says how. */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { ensureBinaries } from './binaries.ts'
import {
  type Cluster,
  defaultName,
  listClusters,
  openCluster,
  startCluster,
  stopCluster,
  stopInterrupted,
  toolPath,
} from './cluster.ts'

const usage = `usage: node test/kubernetes/main.ts COMMAND
  up [--name N] [--mode node|control-plane] [--audit]   start a cluster; quick when it runs already
  down [--name N | --all]                               remove it, also what a crash left
  status                                                list the clusters of this checkout
  kubeconfig [--name N]                                 print the path of its kubeconfig
  load-image [--name N] FILE…                           load archives of docker save or OCI archives
  kubectl [--name N] -- ARGUMENT…                       run kubectl against it
  build                                                 build everything that is needed, ahead of time
A cluster is called "${defaultName}" unless --name says otherwise.`

const options = {
  name: { type: 'string', default: defaultName },
  mode: { type: 'string', default: 'node' },
  audit: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
} as const

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Progress goes to standard error, so that the output of a command can be used. */
function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}

async function opened(name: string): Promise<Cluster> {
  const cluster = await openCluster(name)
  if (cluster === undefined) throw new Error(`No cluster ${name} is running: start it with "up"`)
  return cluster
}

/** An interrupted start takes away what it began; without this its components would outlive it. */
function removeWhenInterrupted(name: string): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      progress(`interrupted, removing cluster ${name}`)
      stopInterrupted(name).then(
        () => process.exit(code),
        (error: Error) => {
          progress(error.message)
          process.exit(code)
        },
      )
    })
  }
}

async function up(name: string, mode: string, audit: boolean): Promise<void> {
  if (mode !== 'node' && mode !== 'control-plane') throw new Error(`--mode is node or control-plane, not "${mode}"`)
  if ((await openCluster(name)) === undefined) removeWhenInterrupted(name)
  const started = Date.now()
  const cluster = await startCluster({ name, mode, audit, onProgress: progress })
  process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM')
  progress(`cluster ${name} is ready after ${((Date.now() - started) / 1000).toFixed(1)} s`)
  print(`export KUBECONFIG=${cluster.kubeconfig}`)
}

async function kubectl(name: string, args: readonly string[]): Promise<number> {
  const cluster = await opened(name)
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig }
  const child = spawn(await toolPath('kubectl', progress), args, { stdio: 'inherit', env })
  return await new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve(code ?? 1)))
}

/** @returns the exit code. @throws what a person should read. */
async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv
  const { values, positionals } = parseArgs({ args: rest, options, allowPositionals: true })
  switch (command) {
    case 'up':
      await up(values.name, values.mode, values.audit)
      return 0
    case 'down':
      for (const name of values.all ? (await listClusters()).map((cluster) => cluster.name) : [values.name])
        await stopCluster(name)
      return 0
    case 'status':
      for (const { name, mode, state, server } of await listClusters()) print(`${name}\t${mode}\t${state}\t${server}`)
      return 0
    case 'kubeconfig':
      print((await opened(values.name)).kubeconfig)
      return 0
    case 'load-image':
      for (const archive of positionals) await (await opened(values.name)).loadImage(archive)
      return 0
    case 'kubectl':
      return await kubectl(values.name, positionals)
    case 'build':
      for (const module of ['kubernetes', 'containerd', 'runc', 'helm'] as const) await ensureBinaries(module, progress)
      return 0
    default:
      process.stderr.write(`${usage}\n`)
      return command === 'help' || command === '--help' ? 0 : 2
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
