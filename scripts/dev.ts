/**
 * `make dev`: the controller from the sources against the demo's cluster, in place of the one that the chart installed.
 * It watches the sources and starts again when they change; at the end the installed controller takes over again.
 */
import { spawn } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { join } from 'node:path'
import { openCluster, toolPath } from '../test/kubernetes/cluster.ts'
import { type Access, kubectl, kubectlJson } from './demo/kubectl.ts'
import { clusterName, namespaces, release, root } from './demo/settings.ts'

const cluster = await openCluster(clusterName)
if (cluster === undefined) {
  console.error('There is no local cluster: run `make demo` first.')
  process.exit(1)
}
const access: Access = {
  kubectl: await toolPath('kubectl'),
  helm: await toolPath('helm'),
  kubeconfig: cluster.kubeconfig,
  context: cluster.name,
}
const deployment = `deployment/${release}-controller`

/** The arguments that the chart gives the installed controller, so that both do the same. */
async function installedArguments(): Promise<string[]> {
  const found = (await kubectlJson(access, ['-n', namespaces.operator, 'get', deployment])) as {
    spec: { template: { spec: { containers: { args: string[] }[] } } }
  }
  const args = found.spec.template.spec.containers[0]?.args ?? []
  return args.filter((argument) => !/^--(metrics|health)-port=/.test(argument))
}

async function scale(replicas: number): Promise<void> {
  await kubectl(access, ['-n', namespaces.operator, 'scale', deployment, `--replicas=${replicas}`])
}

/** The pod of the chart is given names that this machine may not know. Says what to add, since hosts files are people's. */
async function nameMissingHosts(): Promise<void> {
  const path = '{range .spec.template.spec.hostAliases[*]}{.ip} {.hostnames[0]}{"\\n"}{end}'
  const lines = await kubectl(access, ['-n', namespaces.operator, 'get', deployment, '-o', `jsonpath=${path}`])
  for (const line of lines.split('\n').filter((text) => text !== '')) {
    const known = await lookup(line.split(' ')[1] ?? '').then(
      () => true,
      () => false,
    )
    if (!known) console.log(`This machine does not know the code host. Add to /etc/hosts: ${line}`)
  }
}

const args = await installedArguments()
await nameMissingHosts()
await scale(0)
console.log('The installed controller rests; this one runs from the sources. Ctrl-C ends it.')
const child = spawn(
  process.execPath,
  ['--watch', join(root, 'operator', 'main.ts'), ...args, `--namespace=${namespaces.operator}`, '--pod-name=dev'],
  { stdio: 'inherit', env: { ...process.env, KUBECONFIG: cluster.kubeconfig } },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.on('exit', async (code) => {
  await scale(1)
  console.log('The installed controller works again.')
  process.exit(code ?? 0)
})
