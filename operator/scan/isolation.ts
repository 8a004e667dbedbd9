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

export interface StandingPolicy extends NetworkPolicy {
  readonly spec?: NonNullable<NetworkPolicy['spec']> & {
    readonly podSelector?: Readonly<Record<string, object | undefined>>
    readonly ingress?: readonly unknown[]
    readonly egress?: readonly unknown[]
  }
}

/** A sentence for people, or undefined when all is well. Pure. */
export function namespaceFault(
  name: string,
  namespace: Namespace | undefined,
  policy: StandingPolicy | undefined,
): string | undefined {
  if (namespace === undefined) return `The scan namespace ${name} does not exist.`
  if (namespace.metadata.labels?.[enforceLabel] !== 'restricted') {
    return `The scan namespace ${name} does not enforce Pod Security; label it ${enforceLabel}=restricted.`
  }
  if (policy === undefined || !deniesAll(policy)) {
    return `The scan namespace ${name} lacks the NetworkPolicy ${standingPolicyName}, which denies all traffic of all pods.`
  }
  return undefined
}

/** Of all pods, in both directions, and without a rule that opens anything. */
function deniesAll({ spec }: StandingPolicy): boolean {
  const { podSelector, policyTypes = [], ingress = [], egress = [] } = spec ?? {}
  const selectsAll = Object.values(podSelector ?? {}).every((part) => Object.keys(part ?? {}).length === 0)
  const closesBoth = policyTypes.includes('Ingress') && policyTypes.includes('Egress')
  return selectsAll && closesBoth && ingress.length === 0 && egress.length === 0
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
