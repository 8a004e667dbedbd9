/**
 * Findings for people and tools with a Kubernetes token. Whoever may not read a namespace gets the same answer whether
 * or not there is something in it.
 */
import { type Request, type Response, Router } from 'express'
import type { Logger } from 'pino'
import { type SarifExport, writeSarif } from '../../report/sarif.ts'
import { type Problem, ProblemError, sendProblem } from '../problem.ts'
import type { FindingsStore } from '../store/index.ts'
import { type ListedFinding, toFinding } from '../store/queries.ts'
import type { Access } from './access.ts'
import { cursorAfter, kubernetesName, readQuery } from './query.ts'

export interface ApiDeps {
  readonly access: Access
  readonly store: FindingsStore
  readonly log: Logger
  /** Requests that may be worked on at once. */
  readonly concurrentRequests: number
}

const welcome = `Scanfleet gateway.
Scan pods hand in their results here, and people and tools read findings:
  GET /api/v1/findings?namespace=NAMESPACE
  GET /api/v1/repositories/NAMESPACE/NAME/sarif
  GET /api/v1/scans/UID/sarif
with "Authorization: Bearer TOKEN", a token of this Kubernetes cluster. See docs/api.md.
`

const forbidden: Problem = {
  status: 403,
  reason: 'Forbidden',
  detail: 'This takes the right to get scmrepositories/findings of the group scanfleet.dev in the namespace.',
}
const notFound: Problem = { status: 404, reason: 'NotFound', detail: 'There is nothing here.' }

export function createApiRouter(deps: ApiDeps): Router {
  const { access, store, log } = deps
  let requests = 0

  async function listFindings(request: Request, response: Response): Promise<void> {
    const user = await access.authenticate(request.headers.authorization)
    const { cursor, limit, state, ...filter } = readQuery(request.query)
    if (!(await access.mayReadFindings(user, filter.namespace))) throw new ProblemError(forbidden)
    const wanted = { ...filter, state: state === 'All' ? undefined : state }
    const rows = await store.findings(wanted, { limit: limit + 1, after: cursor })
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    response.json({
      items: page.map(present),
      ...(rows.length > limit && last ? { nextCursor: cursorAfter(last) } : {}),
    })
  }

  async function repositorySarif(request: Request, response: Response): Promise<void> {
    const user = await access.authenticate(request.headers.authorization)
    const namespace = kubernetesName.safeParse(request.params['namespace'])
    const name = kubernetesName.safeParse(request.params['name'])
    if (!namespace.success || !name.success) throw new ProblemError(forbidden)
    if (!(await access.mayReadFindings(user, namespace.data))) throw new ProblemError(forbidden)
    sendSarif(response, await store.exportRepository(namespace.data, name.data), `${namespace.data}-${name.data}`)
  }

  async function scanSarif(request: Request, response: Response): Promise<void> {
    const user = await access.authenticate(request.headers.authorization)
    const uid = String(request.params['uid'])
    const found = await store.exportScan(uid)
    if (!found || !(await access.mayReadFindings(user, found.namespace))) throw new ProblemError(notFound)
    sendSarif(response, found, uid)
  }

  function guarded(handle: (request: Request, response: Response) => Promise<void>) {
    return async (request: Request, response: Response) => {
      if (requests >= deps.concurrentRequests) return sendProblem(response, busy)
      requests += 1
      try {
        response.setHeader('cache-control', 'no-store')
        await handle(request, response)
      } catch (error) {
        if (error instanceof ProblemError) return sendProblem(response, error.problem)
        log.error({ err: error }, 'request failed')
        sendProblem(response, unavailable)
      } finally {
        requests -= 1
      }
    }
  }

  return Router({ caseSensitive: true, strict: true })
    .get('/', (_request, response) => void response.type('text/plain').send(welcome))
    .get('/api/v1/findings', guarded(listFindings))
    .get('/api/v1/repositories/:namespace/:name/sarif', guarded(repositorySarif))
    .get('/api/v1/scans/:uid/sarif', guarded(scanSarif))
}

const busy: Problem = { status: 503, reason: 'Busy', detail: 'Too many requests at once.', retryAfterSeconds: 2 }
const unavailable: Problem = {
  status: 503,
  reason: 'Unavailable',
  detail: 'The cluster or the findings store does not answer.',
  retryAfterSeconds: 5,
}

function sendSarif(response: Response, found: SarifExport | undefined, name: string): void {
  if (!found) throw new ProblemError(notFound)
  response
    .type('application/sarif+json')
    .setHeader('content-disposition', `attachment; filename="${name}.sarif"`)
    .send(JSON.stringify(writeSarif(found)))
}

function present(row: ListedFinding) {
  return {
    id: row.id,
    namespace: row.namespace,
    connection: row.connection,
    repository: row.full_name,
    scmRepository: row.name,
    ...toFinding(row),
    state: row.state,
    timesReopened: row.times_reopened,
    firstSeenTime: row.first_seen_at,
    lastSeenTime: row.last_seen_at,
    ...(row.fixed_at === null ? {} : { fixedTime: row.fixed_at }),
  }
}
