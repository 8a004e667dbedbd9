/**
 * The HTTPS server: tells git from API, at both mounts, and treats every call as strictly as GitHub does: User-Agent,
 * pinned API version, limits, conditional requests. What was called with which token is counted.
 */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TlsIdentity } from '../tls.ts'
import type { Contract } from './contract.ts'
import { gitRequestOf, serveGit } from './git.ts'
import { type ApiCall, ApiRefusal, type ApiReply, readBody } from './http.ts'
import { answer, type Route, routes } from './routes.ts'
import { play, type Script } from './script.ts'
import type { HostState } from './state.ts'
import { hostNow } from './tokens.ts'

export interface SeenCall {
  readonly kind: 'Api' | 'Git'
  readonly method: string
  readonly path: string
  readonly status: number
  /** The token that was used, if one was. */
  readonly token: string | undefined
  /** When the call arrived: wall clock, milliseconds with fractions. */
  readonly at: number
}

export interface Stats {
  readonly calls: readonly SeenCall[]
  /** Calls and replies that do not fit GitHub's API description. */
  readonly violations: readonly string[]
  /** Tokens that live now. */
  liveTokens(kind?: 'Classic' | 'FineGrained' | 'Installation'): number
  gitCallsWith(token: string): number
}

interface ServerOptions {
  readonly state: HostState
  readonly script: Script
  readonly tls: TlsIdentity
  readonly hostName: string
  readonly contract?: Contract
}

export interface RunningServer {
  readonly stats: Stats
  listen(address: string, port: number): Promise<{ port: number }>
  close(): Promise<void>
}

const enterpriseMount = '/api/v3'
const knownVersions = new Set(['2022-11-28', '2026-03-10'])

export function createServer(options: ServerOptions): RunningServer {
  const { state, script, contract } = options
  const calls: SeenCall[] = []
  const violations: string[] = []
  const server = createHttpsServer(
    { cert: options.tls.certificatePem, key: options.tls.keyPem },
    (request, response) => {
      handle(request, response).catch(() => response.destroy())
    },
  )
  let webUrl = ''

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.timeOrigin + performance.now()
    const url = new URL(request.url ?? '/', webUrl)
    const method = request.method ?? 'GET'
    const scripted = script.take(method, url.pathname)
    if (scripted && scripted.kind !== 'Reply' && scripted.kind !== 'Headers') return play(scripted, response)
    const git = gitRequestOf(url.pathname)
    if (git && !scripted) {
      const { token, status } = await serveGit(state, git, request, response)
      calls.push({ kind: 'Git', method, path: url.pathname, status, token, at })
      return
    }
    const token = /^\S+ (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
    const reply = scripted?.kind === 'Reply' ? scripted : await apiReply(request, url)
    const extra = scripted?.kind === 'Headers' ? scripted.headers : {}
    const status = send(request, response, {
      ...reply,
      headers: { ...limitHeaders(token, reply.status), ...reply.headers, ...extra },
    })
    calls.push({ kind: 'Api', method, path: url.pathname, status, token, at })
  }

  async function apiReply(request: IncomingMessage, url: URL): Promise<ApiReply> {
    try {
      checkHeaders(request)
      return await routed(request, url)
    } catch (error) {
      if (error instanceof ApiRefusal) return error.reply
      violations.push(String(error))
      return new ApiRefusal(500, 'Server Error').reply
    }
  }

  async function routed(request: IncomingMessage, url: URL): Promise<ApiReply> {
    const mount = url.pathname.startsWith(`${enterpriseMount}/`) ? enterpriseMount : ''
    const path = url.pathname.slice(mount.length)
    const method = request.method ?? 'GET'
    const found = match(method, path)
    if (!found) throw new ApiRefusal(404, 'Not Found')
    const body = parseBody(await readBody(request))
    const call: ApiCall = {
      method,
      path,
      query: url.searchParams,
      headers: request.headers,
      body,
      parameters: found.parameters,
      apiUrl: `${webUrl}${mount}`,
      webUrl,
    }
    const { template } = found.route
    const wrongCall = contract?.checkCall(template, call)
    if (wrongCall) throw new Error(wrongCall)
    useBudget(request)
    const reply = await answer(state, found.route, call)
    const wrongReply = contract?.checkReply(template, method, reply)
    if (wrongReply) throw new Error(wrongReply)
    return reply
  }

  function useBudget(request: IncomingMessage): void {
    const token = request.headers.authorization
    if (state.rateLimit === undefined || token === undefined) return
    const used = (state.used.get(token) ?? 0) + 1
    state.used.set(token, used)
    if (used > state.rateLimit) throw new ApiRefusal(403, 'API rate limit exceeded for installation.')
  }

  function limitHeaders(token: string | undefined, status: number): Record<string, string> {
    const date = { date: new Date(hostNow(state)).toUTCString() }
    if (state.rateLimit === undefined || token === undefined || status === 304) return date
    const used = [...state.used].find(([header]) => header.endsWith(` ${token}`))?.[1] ?? 0
    return {
      ...date,
      'x-ratelimit-limit': String(state.rateLimit),
      'x-ratelimit-remaining': String(Math.max(state.rateLimit - used, 0)),
      'x-ratelimit-reset': String(Math.ceil(hostNow(state) / 3_600_000) * 3_600),
      'x-ratelimit-used': String(used),
    }
  }

  return {
    stats: {
      calls,
      violations,
      liveTokens: (kind) =>
        [...state.tokens.values()].filter((one) => !one.revoked && (kind === undefined || one.kind === kind)).length,
      gitCallsWith: (token) => calls.filter((call) => call.kind === 'Git' && call.token === token).length,
    },
    async listen(address, port) {
      server.listen(port, address)
      await once(server, 'listening')
      const used = (server.address() as AddressInfo).port
      webUrl = `https://${options.hostName}:${used}`
      return { port: used }
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function checkHeaders(request: IncomingMessage): void {
  if (!request.headers['user-agent'])
    throw new ApiRefusal(
      403,
      'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.',
    )
  const version = request.headers['x-github-api-version']
  // GitHub lets calls without a version pass; a client that forgets to pin it should be noticed here.
  if (typeof version !== 'string' || !knownVersions.has(version)) throw new ApiRefusal(400, 'Unsupported API version.')
  if (!String(request.headers.accept).includes('application/vnd.github'))
    throw new ApiRefusal(415, 'Unsupported Accept header.')
}

function match(method: string, path: string): { route: Route; parameters: Record<string, string> } | undefined {
  const parts = path.split('/')
  for (const route of routes) {
    const names = route.template.split('/')
    if (route.method !== method || names.length !== parts.length) continue
    const parameters: Record<string, string> = {}
    const fits = names.every((name, index) => {
      const part = parts[index] ?? ''
      const parameter = /^\{(.*)\}$/.exec(name)?.[1]
      if (parameter && part !== '') parameters[parameter] = decodeURIComponent(part)
      return parameter ? part !== '' : name === part
    })
    if (fits) return { route, parameters }
  }
  return undefined
}

function parseBody(body: Buffer): unknown {
  if (body.length === 0) return undefined
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new ApiRefusal(400, 'Problems parsing JSON')
  }
}

/** Sends the reply, or 304 when the client has it already. Returns the status that was sent. */
function send(request: IncomingMessage, response: ServerResponse, reply: ApiReply): number {
  const text = reply.body === undefined ? '' : JSON.stringify(reply.body)
  const headers: Record<string, string> = { ...reply.headers }
  if (text !== '') headers['content-type'] = 'application/json; charset=utf-8'
  if (reply.status === 200 && request.method === 'GET') {
    headers['etag'] = `W/"${createHash('sha256')
      .update(text)
      .update(headers['link'] ?? '')
      .digest('hex')}"`
    if (request.headers['if-none-match'] === headers['etag']) {
      response.writeHead(304, headers).end()
      return 304
    }
  }
  response.writeHead(reply.status, headers).end(text)
  return reply.status
}
