/**
 * `make demo` and `make demo-down`: `node scripts/demo/main.ts up|down`. One job: the order of the steps, and cleaning up
 * when somebody interrupts them. Invariant: an interrupted first start leaves nothing behind but caches.
 */
import { type Cluster, openCluster, startCluster, toolPath } from '../../test/kubernetes/cluster.ts'
import { checkMachine } from './checks.ts'
import { type CodeHost, codeHostRuns, startCodeHost } from './codehost.ts'
import { rememberWhatIsThere, takeDown } from './down.ts'
import { buildImages, deliverImages } from './images.ts'
import { install } from './install.ts'
import { type Access, kubectl } from './kubectl.ts'
import { addressTowards } from './network.ts'
import { createProgress, type Progress } from './progress.ts'
import { readRecord, remember } from './record.ts'
import { howToLookFurther, showResults } from './results.ts'
import { scanFailedAgain, watchScans } from './scans.ts'
import { clusterName, demoFolder, readSettings, type Settings } from './settings.ts'
import { applyManifests } from './team.ts'

const usage = `Usage: node scripts/demo/main.ts up|down
  SCANFLEET_CONTEXT=name    install into this existing cluster instead of one of its own
  SCANFLEET_REGISTRY=host/path   registry through which that cluster gets the images
  SCANFLEET_ADDRESS=address address under which that cluster's pods reach the demo code host on this machine
  GITHUB_TOKEN=… GITHUB_ORG=name   scan that organization at GitHub.com
  REPOS="dir dir"           let the demo code host serve these local repositories, too
  USER_NAMESPACES=false     for nodes that cannot give pods user namespaces of their own
`

async function up(settings: Settings, progress: Progress): Promise<void> {
  const started = Date.now()
  const { target, source } = settings
  await progress.step('checks', () => checkMachine(settings, { codeHostRuns: codeHostRuns() }))
  const kubectlPath = await progress.step('kubectl', () => toolPath('kubectl', progress.note))
  const helmPath = await progress.step('helm', () => toolPath('helm', progress.note))
  const images = await progress.step(
    'images',
    () => buildImages(progress.note),
    ({ operator, scanner }) => `${operator.ref}, ${scanner.ref}`,
  )
  let cluster: Cluster | undefined
  let access: Access
  if (target.kind === 'Local') {
    cluster = await progress.step(
      'cluster',
      () => ownCluster(progress),
      ({ server }) => server,
    )
    access = { kubectl: kubectlPath, helm: helmPath, kubeconfig: cluster.kubeconfig, context: cluster.name }
  } else {
    access = { kubectl: kubectlPath, helm: helmPath, context: target.context }
    await progress.step(
      'cluster',
      () => existingCluster(access),
      () => target.context,
    )
  }
  let host: CodeHost | undefined
  let hostAddress: string | undefined
  if (source.kind === 'DemoHost') {
    const address = cluster?.nodeAddress ?? (await addressTowards(access, target))
    hostAddress = address
    host = await progress.step(
      'demo code host',
      () => startCodeHost(address, source.repositories),
      ({ repositories }) => repositories.join(', '),
    )
  }
  const delivered = await progress.step('images to the node', () => deliverImages(images, target, access, cluster))
  const installation = {
    folder: demoFolder,
    images: delivered,
    codeHostAddress: hostAddress,
    ownNode: cluster !== undefined && process.getuid?.() === 0,
  }
  await progress.step('helm upgrade --install', () => install(access, installation))
  await progress.step('kubectl apply -f examples/demo', () => applyManifests(access, settings, host))
  await scanFailedAgain(access)
  const ended = await progress.step(
    'scans',
    () => watchScans(access, progress),
    ({ completed, failed }) => `${completed} completed, ${failed} failed`,
  )
  await showResults(access, progress, ended)
  progress.print(howToLookFurther(access, cluster !== undefined))
  progress.print(`\nDone in ${Math.round((Date.now() - started) / 1000)} s.`)
  if (ended.failed > 0) process.exitCode = 1
}

async function ownCluster(progress: Progress): Promise<Cluster> {
  const running = await openCluster(clusterName)
  if (running) return running
  remember({ cluster: true })
  return startCluster({ name: clusterName, mode: 'node', onProgress: progress.note })
}

async function existingCluster(access: Access): Promise<void> {
  await kubectl(access, ['get', '--raw', '/readyz'])
  await rememberWhatIsThere(access)
}

/** A first start that is interrupted takes away what it began; a demo that already stood is left to `demo-down`. */
function onInterrupt(stood: boolean, progress: Progress): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      if (stood) {
        progress.print('\nInterrupted. The demo still stands: `make demo` goes on, `make demo-down` removes it.')
        process.exit(code)
      }
      progress.print('\nInterrupted: removing what was made. (Interrupt again to leave it to `make demo-down`.)')
      takeDown(progress, true).then(
        () => process.exit(code),
        (error: Error) => {
          progress.print(`${error.message}\n\`make demo-down\` removes the rest.`)
          process.exit(code)
        },
      )
    })
  }
}

async function main(command: string | undefined): Promise<void> {
  const progress = createProgress((text) => process.stdout.write(text))
  if (command === 'down') return takeDown(progress)
  if (command !== 'up') throw new Error(usage)
  const settings = readSettings(process.env)
  const record = readRecord()
  onInterrupt(record.cluster === true || record.context !== undefined, progress)
  const wanted = settings.target.kind === 'Context' ? settings.target.context : undefined
  if ((record.cluster || record.context !== undefined) && record.context !== wanted) {
    throw new Error(`The demo stands in ${record.context ?? 'a cluster of its own'}: run \`make demo-down\` first.`)
  }
  await up(settings, progress)
}

try {
  await main(process.argv[2])
  process.exit(process.exitCode ?? 0)
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
  const stands = readRecord()
  if (stands.cluster || stands.context !== undefined) {
    process.stderr.write(
      'What was made so far still stands: `make demo` goes on from here, `make demo-down` removes it.\n',
    )
  }
  process.exit(1)
}
