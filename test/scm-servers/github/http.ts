/** The shape of a call and of a reply inside the server, and the refusals that GitHub's API gives. */
import type { IncomingMessage } from 'node:http'

export interface ApiCall {
  readonly method: string
  /** Path below the mount, such as /repos/acme/shop. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
  /** Path parameters of the matched route, decoded. */
  readonly parameters: Readonly<Record<string, string>>
  /** Base address that links in replies start with. */
  readonly apiUrl: string
  readonly webUrl: string
}

export interface ApiReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Undefined sends no body. */
  readonly body?: unknown
}

/** Thrown by handlers, sent as GitHub sends refusals. */
export class ApiRefusal extends Error {
  readonly reply: ApiReply
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.reply = {
      status,
      headers,
      body: { message, documentation_url: 'https://docs.example/rest', status: `${status}` },
    }
  }
}

export function notFound(): ApiRefusal {
  return new ApiRefusal(404, 'Not Found')
}

/** Reads a body of at most `limit` bytes. */
export async function readBody(request: IncomingMessage, limit = 1024 * 1024): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request) {
    size += piece.length
    if (size > limit) throw new ApiRefusal(413, 'Payload too large')
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
