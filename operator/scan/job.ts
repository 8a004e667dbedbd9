/**
 * The Job of one attempt, suspended. Pure. Its pod is where hostile code lies: two containers side by side, of which only
 * `clone` is given the credential and only `scan` the upload token; no service account, no DNS, nothing writable but its
 * own volumes, nothing shared. (Side by side, since an init container costs half a second: docs/performance.md.)
 */
import { annotations, labels } from '../api/names.ts'
import { type Attempt, attemptName, type Endpoint, type ScanSettings } from './attempt.ts'
import { terminationGraceSeconds } from './classify.ts'
import { terminationMessagePath } from './contract/exit.ts'
import { planVariable, podPaths, secretKeys } from './contract/plan.ts'
import { clonePlan, scanPlan } from './plans.ts'
import { cpuMillis, durationSeconds, sizeBytes } from './quantities.ts'

/** If the controller is away, the Job and its pod vanish by themselves this long after their end. */
const safetyNetSeconds = 900
const nobody = 65532

export function scanLabels(runUid: string): Record<string, string> {
  return {
    [labels.managedBy]: 'scanfleet',
    [labels.component]: 'scan',
    [labels.run]: runUid,
  }
}

export function buildJob(attempt: Attempt, settings: ScanSettings): Record<string, unknown> {
  const { run, managedScan, facts } = attempt
  const { limits, pod } = managedScan.spec
  const runKey = `${run.metadata.namespace}/${run.metadata.name}`
  const podLabels = scanLabels(facts.runUid)
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: attemptName(facts.runUid, facts.number),
      namespace: settings.scanNamespace,
      labels: podLabels,
      annotations: {
        [annotations.run]: runKey,
        [annotations.managedScan]: `${run.metadata.namespace}/${managedScan.metadata.name}`,
        [annotations.attempt]: JSON.stringify(facts),
      },
    },
    spec: {
      // Unsuspended as the last step, when policy and Secret are in place.
      suspend: true,
      completions: 1,
      parallelism: 1,
      // One pod, never a second: what failed is classified and decided on by the controller.
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      activeDeadlineSeconds: durationSeconds(limits.timeout),
      ttlSecondsAfterFinished: safetyNetSeconds,
      template: {
        metadata: { labels: podLabels, annotations: { [annotations.run]: runKey } },
        spec: {
          restartPolicy: 'Never',
          ...(pod.userNamespaces && { hostUsers: false }),
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: terminationGraceSeconds,
          // No DNS: names are given, and a resolver would be a way out.
          dnsPolicy: 'None',
          dnsConfig: { nameservers: ['127.0.0.1'] },
          hostAliases: hostAliases([attempt.codeHost, attempt.gateway]),
          securityContext: {
            runAsNonRoot: true,
            runAsUser: nobody,
            runAsGroup: nobody,
            fsGroup: nobody,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          ...(pod.runtimeClassName !== undefined && { runtimeClassName: pod.runtimeClassName }),
          ...(pod.priorityClassName !== undefined && { priorityClassName: pod.priorityClassName }),
          ...(pod.nodeSelector !== undefined && { nodeSelector: pod.nodeSelector }),
          ...(pod.tolerations !== undefined && { tolerations: pod.tolerations }),
          ...(settings.imagePullSecrets.length > 0 && {
            imagePullSecrets: settings.imagePullSecrets.map((name) => ({ name })),
          }),
          containers: [cloneContainer(attempt, settings), scanContainer(attempt, settings)],
          volumes: volumes(attempt),
        },
      },
    },
  }
}

function cloneContainer(attempt: Attempt, settings: ScanSettings): Record<string, unknown> {
  const { disk } = attempt.managedScan.spec.limits
  return {
    name: 'clone',
    command: ['scanfleet-clone'],
    env: [{ name: planVariable, value: JSON.stringify(clonePlan(attempt, settings)) }],
    ...containerBasics(settings),
    resources: {
      requests: { cpu: '50m', memory: '64Mi', 'ephemeral-storage': smaller('64Mi', disk) },
      limits: { memory: '1Gi', 'ephemeral-storage': disk },
    },
    volumeMounts: [
      { name: 'workspace', mountPath: podPaths.workspace },
      { name: 'clone-tmp', mountPath: '/tmp' },
      { name: 'clone-secrets', mountPath: podPaths.secrets, readOnly: true },
    ],
  }
}

function scanContainer(attempt: Attempt, settings: ScanSettings): Record<string, unknown> {
  const { cpu, memory, disk } = attempt.managedScan.spec.limits
  return {
    name: 'scan',
    command: ['scanfleet-scan'],
    env: [{ name: planVariable, value: JSON.stringify(scanPlan(attempt)) }],
    ...containerBasics(settings),
    resources: {
      requests: {
        cpu: cpuMillis(cpu) < 100 ? cpu : '100m',
        memory: smaller('128Mi', memory),
        'ephemeral-storage': smaller('64Mi', disk),
      },
      limits: { cpu, memory, 'ephemeral-storage': disk },
    },
    volumeMounts: [
      { name: 'workspace', mountPath: podPaths.workspace, readOnly: true },
      { name: 'scan-tmp', mountPath: '/tmp' },
      { name: 'scan-secrets', mountPath: podPaths.secrets, readOnly: true },
    ],
  }
}

/** A request may not pass the limit that people set. */
function smaller(request: string, limit: string): string {
  return sizeBytes(limit) < sizeBytes(request) ? limit : request
}

function containerBasics(settings: ScanSettings): Record<string, unknown> {
  return {
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    terminationMessagePath,
    terminationMessagePolicy: 'File',
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    },
  }
}

function volumes(attempt: Attempt): Record<string, unknown>[] {
  const secretName = attemptName(attempt.facts.runUid, attempt.facts.number)
  const { disk } = attempt.managedScan.spec.limits
  const cloneKeys = [secretKeys.token, ...(attempt.hasCodeHostCa ? [secretKeys.codeHostCa] : [])]
  return [
    { name: 'workspace', emptyDir: { sizeLimit: disk } },
    { name: 'clone-tmp', emptyDir: { sizeLimit: '64Mi' } },
    { name: 'scan-tmp', emptyDir: { sizeLimit: '1Gi' } },
    secretVolume('clone-secrets', secretName, cloneKeys),
    secretVolume('scan-secrets', secretName, [secretKeys.uploadToken, secretKeys.gatewayCa]),
  ]
}

function secretVolume(name: string, secretName: string, keys: readonly string[]): Record<string, unknown> {
  return { name, secret: { secretName, defaultMode: 0o440, items: keys.map((key) => ({ key, path: key })) } }
}

/** Lines of the pod's hosts file. An endpoint that is an address already needs none. */
function hostAliases(endpoints: readonly Endpoint[]): { ip: string; hostnames: string[] }[] {
  return endpoints.flatMap(({ host, addresses }) =>
    addresses.filter((ip) => ip !== host).map((ip) => ({ ip, hostnames: [host] })),
  )
}
