/**
 * Whether the scan namespace is fit to hold source code: Pod Security restricted is enforced and a standing policy denies
 * all traffic. The chart makes both; without them no scan is started.
 */
import type { KubeClient } from '../kube/client.ts'
import { isForbidden } from '../kube/errors.ts'
import type { Namespace, NetworkPolicy } from '../kube/objects.ts'
import { resources } from '../kube/resources.ts'

/** Name of the standing policy, as the chart makes it. */
export const standingPolicyName = 'default-deny'
const enforceLabel = 'pod-security.kubernetes.io/enforce'

/** A sentence for people, or undefined when all is well. Pure. */
export function namespaceFault(
  name: string,
  namespace: Namespace | undefined,
  policy: NetworkPolicy | undefined,
): string | undefined {
  if (namespace === undefined) return `The scan namespace ${name} does not exist.`
  if (namespace.metadata.labels?.[enforceLabel] !== 'restricted') {
    return `The scan namespace ${name} does not enforce Pod Security; label it ${enforceLabel}=restricted.`
  }
  const types = policy?.spec?.policyTypes
  if (policy === undefined || !types?.includes('Egress') || !types.includes('Ingress')) {
    return `The scan namespace ${name} lacks the NetworkPolicy ${standingPolicyName}, which denies all traffic.`
  }
  return undefined
}

export async function readNamespaceFault(client: KubeClient, name: string): Promise<string | undefined> {
  try {
    const [namespace, policy] = await Promise.all([
      client.get(resources.namespaces, undefined, name),
      client.get(resources.networkPolicies, name, standingPolicyName),
    ])
    return namespaceFault(name, namespace, policy)
  } catch (error) {
    if (isForbidden(error)) return `The operator may not look at the scan namespace ${name}.`
    throw error
  }
}
