/** `scanfleet controller` and `scanfleet gateway`: configuration in, one process out, ended by SIGTERM in good order. */
import { Registry } from 'prom-client'
import packageFile from '../package.json' with { type: 'json' }
import { ConfigError, describeOptions, namespaceOfPod, readControllerConfig, readGatewayConfig } from './config.ts'
import { createKubeClient } from './kube/client.ts'
import { loadConnection } from './kube/connection.ts'
import { createLogger } from './telemetry/log.ts'
import { collectProcessMetrics, createMetrics } from './telemetry/metrics.ts'
import { createRedactor } from './telemetry/redact.ts'

const [command, ...argv] = process.argv.slice(2)
if (command !== 'controller' && command !== 'gateway') {
  console.error('Usage: scanfleet controller|gateway [options]. `scanfleet controller --help` lists them.')
  process.exit(2)
}
if (argv.includes('--help')) {
  for (const { flag, variable, text } of describeOptions(command)) console.log(`${flag}  (${variable})\n    ${text}`)
  process.exit(0)
}

try {
  await start(command, argv)
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  console.error(error.message)
  process.exit(2)
}

async function start(name: 'controller' | 'gateway', args: readonly string[]): Promise<void> {
  const env = { SCANFLEET_NAMESPACE: namespaceOfPod(), SCANFLEET_POD_NAME: process.env['HOSTNAME'], ...process.env }
  const config = name === 'controller' ? readControllerConfig(args, env) : readGatewayConfig(args, env)
  const redactor = createRedactor()
  const log = createLogger({ level: config.logLevel, redactor, base: { process: name, pod: config.podName } })
  const registry = new Registry()
  const metrics = createMetrics(registry)
  collectProcessMetrics(registry)
  metrics.buildInfo.set({ version: packageFile.version, process: name }, 1)
  const connection = await loadConnection({ env: process.env })
  const client = createKubeClient({ connection, metrics })
  const starting = new AbortController()
  const common = { client, log, registry, metrics }

  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'a promise was rejected and nobody looked; the process ends')
    process.exit(1)
  })

  const running = name === 'controller' ? startController() : startGateway()
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      log.info({ signal }, 'stops')
      starting.abort()
      void running
        .then((process) => process.stop())
        .catch((error: unknown) => log.error({ err: error }, 'did not stop in good order'))
        .finally(() => process.exit(0))
    })
  }
  await running.catch((error: unknown) => {
    if (stopping) return
    log.fatal({ err: error }, 'could not start')
    process.exit(1)
  })

  // Each process loads only what it runs: the other half would cost memory for nothing.
  async function startController() {
    const { runController } = await import('./controller.ts')
    const onLost = () => {
      log.fatal('the Lease was lost; the process ends, since another one leads')
      process.exit(1)
    }
    return runController(readControllerConfig(args, env), { ...common, redactor, apiServer: connection.server, onLost })
  }

  async function startGateway() {
    const { runGateway } = await import('./gateway/index.ts')
    return runGateway(readGatewayConfig(args, env), { ...common, signal: starting.signal })
  }
}
