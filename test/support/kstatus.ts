/**
 * What kstatus, and with it kubectl, Flux and Argo CD, reads from an object: the few rules that concern custom resources.
 * Everything that the operator writes must come out as one of these three, and never as a guess.
 */
interface Conditioned {
  readonly metadata: { readonly generation?: number; readonly deletionTimestamp?: string }
  readonly status?: {
    readonly observedGeneration?: number
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

export type KubeStatus = 'Current' | 'InProgress' | 'Failed' | 'Terminating'

/**
 * In the order of kstatus: deletion, a status that is older than the spec, Stalled and Reconciling, then Ready. Ready=False
 * alone means in progress, since it cannot say that nothing more will happen; Stalled says that.
 */
export function kubeStatus(object: Conditioned): KubeStatus {
  const { metadata, status } = object
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  const { observedGeneration, conditions = [] } = status ?? {}
  if (observedGeneration !== undefined && observedGeneration !== metadata.generation) return 'InProgress'
  const is = (type: string, value: string) =>
    conditions.some((condition) => condition.type === type && condition.status === value)
  if (is('Reconciling', 'True')) return 'InProgress'
  if (is('Stalled', 'True')) return 'Failed'
  if (is('Ready', 'False') || is('Ready', 'Unknown')) return 'InProgress'
  return 'Current'
}
