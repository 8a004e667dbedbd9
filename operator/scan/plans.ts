/** The plans of the two containers of a scan pod. Pure; shapes in `contract/plan.ts`. */
import type { Attempt, ScanSettings } from './attempt.ts'
import { type ClonePlan, podPaths, type ScanPlan, secretKeys } from './contract/plan.ts'
import { durationSeconds, sizeBytes } from './quantities.ts'

/** How long a pod waits until its own policy lets it through and the fence holds. */
const fenceTimeoutSeconds = 60

export function clonePlan(attempt: Attempt, settings: ScanSettings): ClonePlan {
  const { limits } = attempt.managedScan.spec
  return {
    url: attempt.cloneUrl,
    commit: attempt.facts.commit,
    ...(attempt.facts.branch !== undefined && { ref: `refs/heads/${attempt.facts.branch}` }),
    username: attempt.username,
    tokenFile: `${podPaths.secrets}/${secretKeys.token}`,
    ...(attempt.hasCodeHostCa && { caFile: `${podPaths.secrets}/${secretKeys.codeHostCa}` }),
    fence: {
      enforced: settings.requireFence,
      allowed: { host: attempt.codeHost.host, port: attempt.codeHost.port },
      forbidden: [...attempt.forbidden],
      timeoutSeconds: fenceTimeoutSeconds,
    },
    limits: {
      // Half for the objects that git keeps, half for the files.
      treeBytes: Math.floor(sizeBytes(limits.disk) / 2),
      treeFiles: limits.files,
      timeoutSeconds: durationSeconds(limits.timeout),
    },
  }
}

export function scanPlan(attempt: Attempt): ScanPlan {
  const { run, managedScan, facts, gateway } = attempt
  const { limits, paths, semgrep, suppressions } = managedScan.spec
  const timeout = durationSeconds(limits.timeout)
  return {
    run: { uid: facts.runUid, namespace: run.metadata.namespace, name: run.metadata.name, attempt: facts.number },
    commit: facts.commit,
    products: facts.products,
    exclude: paths?.exclude ?? [],
    semgrep: { mode: semgrep.mode },
    honourSuppressions: suppressions === 'Honour',
    limits: { engineTimeoutSeconds: timeout, handoverTimeoutSeconds: timeout },
    upload: {
      url: `https://${gateway.host}:${gateway.port}/api/v1/scans/${facts.runUid}/${facts.number}/result`,
      tokenFile: `${podPaths.secrets}/${secretKeys.uploadToken}`,
      caFile: `${podPaths.secrets}/${secretKeys.gatewayCa}`,
      timeoutSeconds: timeout,
    },
  }
}
