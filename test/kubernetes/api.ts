/** One job: a single GET on an API server by client certificate, for readiness checks before any client is set up. */
import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'

export interface ApiRequest {
  readonly url: string
  readonly caFile: string
  readonly certificateFile: string
  readonly keyFile: string
}

/** @returns status and body. Rejects when there is no answer within 5 s. */
export function request(options: ApiRequest): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = httpsRequest(options.url, {
      ca: readFileSync(options.caFile),
      cert: readFileSync(options.certificateFile),
      key: readFileSync(options.keyFile),
      agent: false,
      timeout: 5000,
    })
    call.on('timeout', () => call.destroy(new Error(`no answer from ${options.url}`)))
    call.on('error', reject)
    call.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    call.end()
  })
}
