/** One job: an API server of its own for a test file, and kubectl and helm against it. */
import assert from 'node:assert/strict'
import { stringify } from 'yaml'
import { startCluster, toolPath } from '../kubernetes/cluster.ts'
import { helm, type Outcome, release, run } from './support.ts'

export interface ChartCluster {
  kubectl(args: readonly string[], input?: string): Promise<Outcome>
  /** `kubectl apply` of these manifests. */
  apply(manifests: readonly object[], ...args: string[]): Promise<Outcome>
  /** Installs or upgrades the release from the chart in this folder. */
  install(folder: string): Promise<Outcome>
  uninstall(): Promise<Outcome>
  stop(): Promise<void>
}

/** A control plane without nodes, with the namespace of the operator. */
export async function startChartCluster(name: string): Promise<ChartCluster> {
  const onProgress = (line: string) => console.error(line)
  const kubectlPath = await toolPath('kubectl', onProgress)
  const cluster = await startCluster({ name: `${name}-${process.pid}`, mode: 'control-plane', onProgress })
  const where = ['--namespace', 'scanfleet', '--kubeconfig', cluster.kubeconfig]
  const started: ChartCluster = {
    kubectl: (args, input) => run(kubectlPath, ['--kubeconfig', cluster.kubeconfig, ...args], input),
    apply: (manifests, ...args) => started.kubectl(['apply', '-f', '-', ...args], toYaml(manifests)),
    install: (folder) => helm(['upgrade', '--install', release, folder, ...where]),
    uninstall: () => helm(['uninstall', release, ...where]),
    stop: () => cluster.stop(),
  }
  succeeded(await started.apply([restrictedNamespace('scanfleet')]))
  return started
}

export function succeeded(outcome: Outcome): Outcome {
  assert.equal(outcome.code, 0, outcome.stderr)
  return outcome
}

export function toYaml(manifests: readonly object[]): string {
  return manifests.map((manifest) => stringify(manifest)).join('---\n')
}

/** A namespace that enforces Pod Security restricted, and warns of what it would not let in. */
export function restrictedNamespace(name: string): object {
  const labels = Object.fromEntries(
    ['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
  )
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}
