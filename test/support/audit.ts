/**
 * One job: the audit log of a local control plane as requests: who asked the API server for what, when, and what came of it.
 * Invariant: one entry for each request that was answered; a watch counts when it begins.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { z } from 'zod'

export interface ApiRequest {
  /** As the API server calls it: get, list, watch, create, update, patch, delete, deletecollection. */
  readonly verb: string
  readonly resource: string
  /** Such as `status`; empty for the object itself. */
  readonly subresource: string
  readonly namespace: string
  /** Empty for collections, and for creates that the log does not name. */
  readonly name: string
  readonly user: string
  readonly code: number
  /** Wall clock, milliseconds with fractions: when the server received the request and when it had answered. */
  readonly receivedAt: number
  readonly answeredAt: number
}

const eventSchema = z.object({
  stage: z.string(),
  verb: z.string(),
  // Requests that were cut off before anybody knew whose they were have no name.
  user: z.object({ username: z.string().default('') }),
  objectRef: z
    .object({
      resource: z.string().default(''),
      subresource: z.string().default(''),
      namespace: z.string().default(''),
      name: z.string().default(''),
    })
    .optional(),
  responseStatus: z.object({ code: z.int().default(0) }).optional(),
  requestReceivedTimestamp: z.string(),
  stageTimestamp: z.string(),
})

export interface AuditOptions {
  /** Only requests that were received at or after this moment; wall clock, milliseconds. */
  readonly since?: number
  /** Only what was appended behind this many bytes: the size of the file when nothing of interest had happened yet. */
  readonly from?: number
}

/** Requests in the order of their answers. */
export async function readAudit(file: string, { since = 0, from = 0 }: AuditOptions = {}): Promise<ApiRequest[]> {
  const requests: ApiRequest[] = []
  const input = createReadStream(file, { start: from })
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    // The first line may have begun before, and the last one may still be in the making.
    if (!line.startsWith('{') || !line.endsWith('}')) continue
    const event = eventSchema.parse(JSON.parse(line))
    const isWatch = event.verb === 'watch'
    if (event.stage !== (isWatch ? 'ResponseStarted' : 'ResponseComplete')) continue
    const receivedAt = milliseconds(event.requestReceivedTimestamp)
    if (receivedAt < since) continue
    requests.push({
      verb: event.verb,
      resource: event.objectRef?.resource ?? '',
      subresource: event.objectRef?.subresource ?? '',
      namespace: event.objectRef?.namespace ?? '',
      name: event.objectRef?.name ?? '',
      user: event.user.username,
      code: event.responseStatus?.code ?? 0,
      receivedAt,
      answeredAt: milliseconds(event.stageTimestamp),
    })
  }
  return requests
}

const readVerbs = new Set(['get', 'list', 'watch'])

export function isWrite({ verb }: ApiRequest): boolean {
  return !readVerbs.has(verb)
}

/** How often each kind of request was made, such as `patch scanruns/status` → 20; the most frequent first. */
export function countRequests(requests: readonly ApiRequest[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { verb, resource, subresource } of requests) {
    const kind = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}`
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return new Map([...counts].sort(([, a], [, b]) => b - a))
}

/** Date.parse keeps three digits of a second; the log has six. */
function milliseconds(timestamp: string): number {
  const micro = /\.\d{3}(\d{1,6})/.exec(timestamp)?.[1] ?? ''
  return Date.parse(timestamp) + (micro === '' ? 0 : Number(`0.${micro}`))
}
