/**
 * git over HTTPS by git's own server program. Reading only; whoever may read the repository by the API may clone it, and
 * a token that was revoked is refused from the next request on.
 */
import { spawn } from 'node:child_process'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { gitEnvironment } from './repositories.ts'
import type { HostState, TokenRecord } from './state.ts'
import { findRepository, requireRepository, useToken } from './tokens.ts'

const address = /^\/([^/]+)\/([^/]+?)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/

export interface GitRequest {
  readonly owner: string
  readonly name: string
  readonly service: string
}

/** What of git a path asks for, or undefined when it is no git path. */
export function gitRequestOf(path: string): GitRequest | undefined {
  const [, owner, name, service] = address.exec(path) ?? []
  return owner && name && service ? { owner, name, service } : undefined
}

/** Answers and returns the token that was used and the status that was sent. */
export async function serveGit(
  state: HostState,
  wanted: GitRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<{ token: string | undefined; status: number }> {
  const url = new URL(request.url ?? '/', 'https://host')
  const password = passwordOf(request.headers.authorization)
  const refuse = (status: number, message: string, headers: Record<string, string> = {}) => {
    request.resume()
    response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(`${message}\n`)
    return { token: password, status }
  }
  if (wanted.service === 'git-receive-pack' || url.searchParams.get('service') === 'git-receive-pack')
    return refuse(403, 'Write access to repository not granted.')
  const token = password === undefined ? undefined : useToken(state, password)
  if (password !== undefined && !token) return refuse(401, 'Invalid username or token.', challenge)
  if (token?.kind === 'Installation' && userOf(request.headers.authorization) !== 'x-access-token')
    return refuse(401, 'Invalid username or token.', challenge)
  if (!mayRead(state, token, wanted)) {
    // A host does not say whether what may not be seen exists; without credentials it asks for them.
    return token ? refuse(404, 'Repository not found.') : refuse(401, 'Authentication required.', challenge)
  }
  const repository = findRepository(state, wanted.owner, wanted.name)
  if (!repository) return refuse(404, 'Repository not found.')
  const root = dirname(dirname(repository.git.gitDir))
  const path = `${repository.git.gitDir.slice(root.length)}/${wanted.service}`
  return { token: password, status: await runBackend(root, path, url.search.slice(1), request, response) }
}

const challenge = { 'www-authenticate': 'Basic realm="GitHub"' }

function mayRead(state: HostState, token: TokenRecord | undefined, wanted: GitRequest): boolean {
  try {
    requireRepository(state, token, wanted.owner, wanted.name, 'contents')
    return true
  } catch {
    return false
  }
}

/** git-http-backend speaks CGI: headers, an empty line, then the body. */
function runBackend(
  root: string,
  path: string,
  query: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number> {
  const header = (name: string) => String(request.headers[name] ?? '')
  const child = spawn('git', ['http-backend'], {
    env: {
      ...gitEnvironment,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: header('git-protocol'),
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: header('content-type'),
      CONTENT_LENGTH: header('content-length'),
      HTTP_CONTENT_ENCODING: header('content-encoding'),
      REMOTE_USER: 'reader',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  response.on('close', () => child.kill())
  child.stdin.on('error', () => undefined)
  request.pipe(child.stdin)
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    let status = 0
    child.on('error', reject)
    child.stdout.on('data', (piece: Buffer) => {
      if (status !== 0) {
        if (!response.write(piece)) {
          child.stdout.pause()
          response.once('drain', () => child.stdout.resume())
        }
        return
      }
      head = Buffer.concat([head, piece])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      status = startResponse(head.subarray(0, end).toString('latin1'), response)
      response.write(head.subarray(end + 4))
    })
    child.on('close', () => {
      if (status === 0 && !response.headersSent) response.writeHead(500)
      response.end()
      resolve(status || 500)
    })
  })
}

function startResponse(head: string, response: ServerResponse): number {
  let status = 200
  for (const line of head.split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(line) ?? []
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10)
    else if (name) response.setHeader(name, value)
  }
  response.writeHead(status)
  return status
}

function basic(authorization: string | undefined): string[] | undefined {
  const encoded = /^basic (\S+)$/i.exec(authorization ?? '')?.[1]
  if (!encoded) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  return colon === -1 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
}

function userOf(authorization: string | undefined): string | undefined {
  return basic(authorization)?.[0]
}

/** People's tokens may also stand where the user name belongs, with an empty password. */
function passwordOf(authorization: string | undefined): string | undefined {
  const [user, password] = basic(authorization) ?? []
  return password === '' ? user : password
}
