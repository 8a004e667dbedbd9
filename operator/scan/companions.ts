/**
 * The NetworkPolicy and the Secret of one attempt. Pure. Both belong to the Job by its UID, so that garbage collection takes
 * everything together. The standing default-deny policy of the namespace closes; this one only opens what the scan needs.
 */
import { isIPv6 } from 'node:net'
import { labels } from '../api/names.ts'
import type { Job } from '../kube/objects.ts'
import { type Attempt, attemptName, type ScanSettings } from './attempt.ts'
import { secretKeys } from './contract/plan.ts'
import { scanLabels } from './job.ts'

export function buildNetworkPolicy(attempt: Attempt, job: Job, settings: ScanSettings): Record<string, unknown> {
  const { codeHost, gateway, facts } = attempt
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: ownedBy(job, attempt, settings),
    spec: {
      podSelector: { matchLabels: { [labels.run]: facts.runUid } },
      policyTypes: ['Ingress', 'Egress'],
      egress: [
        {
          to: codeHost.addresses.map((address) => ({ ipBlock: { cidr: `${address}/${isIPv6(address) ? 128 : 32}` } })),
          ports: [{ protocol: 'TCP', port: codeHost.port }],
        },
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': settings.operatorNamespace } },
              podSelector: { matchLabels: { [labels.component]: 'gateway' } },
            },
          ],
          ports: [{ protocol: 'TCP', port: gateway.port }],
        },
      ],
    },
  }
}

/** What the pod needs to know and nobody else. Values are UTF-8 text. */
export interface AttemptSecrets {
  readonly token: string
  readonly uploadToken: string
  readonly gatewayCa: string
  readonly codeHostCa?: string
}

export function buildSecret(
  attempt: Attempt,
  job: Job,
  secrets: AttemptSecrets,
  settings: ScanSettings,
): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: ownedBy(job, attempt, settings),
    type: 'Opaque',
    // The kubelet does not look for news of an immutable Secret, so deleting it early disturbs no running pod.
    immutable: true,
    stringData: {
      [secretKeys.token]: secrets.token,
      [secretKeys.uploadToken]: secrets.uploadToken,
      [secretKeys.gatewayCa]: secrets.gatewayCa,
      ...(secrets.codeHostCa !== undefined && { [secretKeys.codeHostCa]: secrets.codeHostCa }),
    },
  }
}

function ownedBy(job: Job, attempt: Attempt, settings: ScanSettings): Record<string, unknown> {
  const name = attemptName(attempt.facts.runUid, attempt.facts.number)
  return {
    name,
    namespace: settings.scanNamespace,
    labels: scanLabels(attempt.facts.runUid),
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid: job.metadata.uid, controller: true }],
  }
}
