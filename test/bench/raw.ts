/** One job: the writes of a dispatch without an operator: the floor under every figure about dispatching. */
import type { KubeClient } from '../../operator/kube/client.ts'
import { resources } from '../../operator/kube/resources.ts'

/** A suspended Job, its NetworkPolicy and Secret, and the write that unsuspends it. */
export async function createRawSet(client: KubeClient, namespace: string, name: string): Promise<void> {
  const { create } = client
  await create(resources.jobs, namespace, suspendedJob(name))
  await Promise.all([
    create(resources.networkPolicies, namespace, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name },
      spec: { podSelector: { matchLabels: { raw: name } }, policyTypes: ['Egress'] },
    }),
    create(resources.secrets, namespace, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      stringData: { token: 'x'.repeat(40) },
    }),
  ])
  await client.patch(resources.jobs, namespace, name, { spec: { suspend: false } }, { type: 'merge' })
}

export async function deleteRawSet(client: KubeClient, namespace: string, name: string): Promise<void> {
  for (const resource of [resources.jobs, resources.networkPolicies, resources.secrets])
    await client.delete(resource, namespace, name)
}

export function suspendedJob(name: string): object {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      suspend: true,
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'raw', image: 'bench' }] } },
    },
  }
}
