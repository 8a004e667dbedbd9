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
import { askAgain, watchScans } from './scans.ts'
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
  const expected = host?.repositories.length ?? 1
  await askAgain(access, expected)
  const ended = await progress.step(
    'scans',
    () => watchScans(access, progress, expected),
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

/**
 * A first start that is interrupted takes away what it began; a demo that already stood is left to `demo-down`.
 * The steps fail while that goes on, which is no news: `quiet` says so.
 */
function onInterrupt(stood: boolean, progress: Progress): { readonly quiet: () => boolean } {
  let cleaning = false
  const leave = (code: number) => {
    if (stood) progress.print('\nInterrupted. The demo still stands: `make demo` goes on, `make demo-down` removes it.')
    if (stood || cleaning) process.exit(code)
    cleaning = true
    progress.print('\nInterrupted: removing what was made. (Interrupt again to leave it to `make demo-down`.)')
    takeDown(progress, true).then(
      () => process.exit(code),
      (error: Error) => {
        progress.print(`${error.message}\n\`make demo-down\` removes the rest.`)
        process.exit(code)
      },
    )
  }
  process.on('SIGINT', () => leave(130))
  process.on('SIGTERM', () => leave(143))
  return { quiet: () => cleaning }
}

async function main(command: string | undefined, progress: Progress): Promise<void> {
  if (command === 'down') return takeDown(progress)
  if (command !== 'up') throw new Error(usage)
  const settings = readSettings(process.env)
  const record = readRecord()
  const stands = record.cluster === true || record.context !== undefined
  const wanted = settings.target.kind === 'Context' ? settings.target.context : undefined
  if (stands && record.context !== wanted) {
    throw new Error(`The demo stands in ${record.context ?? 'a cluster of its own'}: run \`make demo-down\` first.`)
  }
  const interrupt = onInterrupt(stands, progress)
  try {
    await up(settings, progress)
  } catch (error) {
    if (interrupt.quiet()) return new Promise(() => undefined) // the interruption ends the process
    const now = readRecord()
    if (!now.cluster && now.context === undefined) throw error
    const hint = 'What was made so far still stands: `make demo` goes on from here, `make demo-down` removes it.'
    throw new Error(`${(error as Error).message}\n\n${hint}`, { cause: error })
  }
}

try {
  await main(
    process.argv[2],
    createProgress((text) => process.stdout.write(text)),
  )
  process.exit(process.exitCode ?? 0)
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
