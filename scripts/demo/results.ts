/** One job: show what the scans found, and how to look further. */
import { type Finding, readFindings } from './findings.ts'
import { type Access, kubectl, spoken } from './kubectl.ts'
import type { Progress } from './progress.ts'
import type { Ended } from './scans.ts'
import { namespaces, release } from './settings.ts'
import { type Column, toTable } from './tables.ts'

const shownAtMost = 40

const columns: readonly Column<Finding>[] = [
  { title: 'SEVERITY', of: ({ severity }) => severity },
  { title: 'PRODUCT', of: ({ product }) => product },
  { title: 'REPOSITORY', of: ({ repository }) => repository, width: 40 },
  { title: 'WHERE', of: ({ path, region }) => `${path}:${region.startLine}`, width: 44, keep: 'End' },
  { title: 'WHAT', of: what, width: 56 },
]

/** The rule, and for a dependency which one it is. */
function what({ ruleId, package: dependency }: Finding): string {
  return dependency ? `${ruleId} ${dependency.name} ${dependency.version}` : ruleId
}

export async function showResults(access: Access, progress: Progress, ended: Ended): Promise<void> {
  const everything = 'scmconnections,managedscans,scmrepositories,scanruns'
  progress.print(`\n${(await kubectl(access, ['get', everything, '-n', namespaces.team])).trimEnd()}\n`)
  const findings = await readFindings(access)
  const shown = sample(findings)
  progress.print(toTable(shown, columns))
  if (shown.length < findings.length) progress.print(`… and ${findings.length - shown.length} more`)
  progress.print(`\n${summary(findings, ended)}`)
}

/** The worst first, but something of every repository, so that a table of limited length speaks of all of them. */
function sample(findings: readonly Finding[]): readonly Finding[] {
  if (findings.length <= shownAtMost) return findings
  const repositories = Map.groupBy(findings, ({ repository }) => repository)
  const each = Math.max(1, Math.floor(shownAtMost / repositories.size))
  const chosen = new Set([...repositories.values()].flatMap((own) => own.slice(0, each)))
  return findings.filter((finding) => chosen.has(finding))
}

function summary(findings: readonly Finding[], { repositories, completed, failed }: Ended): string {
  const count = (of: (finding: Finding) => string) =>
    [...Map.groupBy(findings, of)].map(([name, own]) => `${own.length} ${name}`).join(', ') || 'none'
  const withFindings = new Set(findings.map(({ repository }) => repository)).size
  const scans = `${completed} scans completed${failed > 0 ? `, ${failed} FAILED` : ''}`
  return [
    `${scans}. ${findings.length} open findings in ${withFindings} of ${repositories} repositories; the others are clean.`,
    `By severity: ${count(({ severity }) => severity)}`,
    `By product:  ${count(({ product }) => product)}`,
  ].join('\n')
}

/** What to type next. */
export function howToLookFurther(access: Access, ownCluster: boolean): string {
  const lines = access.kubeconfig
    ? [`export KUBECONFIG=${access.kubeconfig}`, `alias kubectl=${access.kubectl}`]
    : [`alias kubectl='${spoken(access)}'`]
  return `
Look further (${ownCluster ? 'the cluster keeps running' : 'it stays installed'} until \`make demo-down\`):
  ${lines.join('\n  ')}
  kubectl get scanfleet -A                                   # everything at a glance
  kubectl -n ${namespaces.team} describe scanrun             # what was done, when, and its evidence
  kubectl -n ${namespaces.team} annotate managedscan everything scanfleet.dev/requestedAt="$(date +%s)" --overwrite    # scan again
  kubectl create -f examples/scan-run.yaml                   # one scan by hand
  kubectl -n ${namespaces.operator} logs deployment/${release}-controller
  kubectl explain managedscan.spec`
}
