/**
 * Delivers the result to the gateway. Invariants: the certificate is checked against the one authority that the plan
 * names; what the gateway once accepted is success, however often it is sent; the token goes into one header only.
 */
import { readFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { ScanPlan } from '../../operator/scan/contract/plan.ts'
import { resultLimits, type Upload } from '../../operator/scan/contract/result.ts'
import { ScannerFailure, shorten } from '../shared/failure.ts'
import { printable } from '../shared/printable.ts'

const compress = promisify(gzip)
const answerBytes = 4096
const requestMilliseconds = 60_000
const delays = { first: 250, most: 10_000 } as const

type Answer = { readonly status: number; readonly text: string; readonly retryAfterSeconds: number | undefined }

/** @throws ScannerFailure ResultTooLarge, ResultRefused, ResultNotDelivered */
export async function deliver(upload: Upload, plan: ScanPlan['upload'], signal: AbortSignal): Promise<void> {
  const json = JSON.stringify(upload)
  const body = await compress(json)
  if (Buffer.byteLength(json) > resultLimits.bytes || body.length > resultLimits.compressedBytes) {
    throw new ScannerFailure(
      'ResultTooLarge',
      `The result has ${json.length} bytes, ${body.length} compressed, which is too much.`,
    )
  }
  const token = (await readFile(plan.tokenFile, 'utf8')).trim()
  const authority = await readFile(plan.caFile)
  const deadline = performance.now() + plan.timeoutSeconds * 1000
  let last = 'no answer'
  for (let delay: number = delays.first; ; delay = Math.min(delay * 2, delays.most)) {
    const answer = await send(plan.url, body, token, authority, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      return error instanceof Error ? error.message : String(error)
    })
    if (typeof answer === 'string') last = answer
    else {
      // 409: an earlier try arrived, though its answer did not.
      if ((answer.status >= 200 && answer.status < 300) || answer.status === 409) return
      last = `${answer.status} ${answer.text}`
      if (answer.status === 413) throw new ScannerFailure('ResultTooLarge', `The gateway says: ${last}`)
      if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) {
        throw new ScannerFailure('ResultRefused', `The gateway refused the result: ${last}`)
      }
    }
    const wait = Math.max(
      delay * (0.5 + Math.random()),
      (typeof answer === 'string' ? 0 : (answer.retryAfterSeconds ?? 0)) * 1000,
    )
    if (performance.now() + wait > deadline) {
      throw new ScannerFailure(
        'ResultNotDelivered',
        `The gateway did not accept the result within ${plan.timeoutSeconds} s: ${last}`,
      )
    }
    await sleep(wait, undefined, { signal })
  }
}

function send(url: string, body: Buffer, token: string, ca: Buffer, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      url,
      {
        method: 'POST',
        ca,
        signal,
        agent: false,
        timeout: requestMilliseconds,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-encoding': 'gzip',
          'content-length': body.length,
        },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          if (text.length < answerBytes) text += chunk
        })
        response.on('error', reject)
        response.on('end', () => {
          const seconds = Number(response.headers['retry-after'])
          resolve({
            status: response.statusCode ?? 0,
            text: shorten(printable(text), 300),
            retryAfterSeconds: Number.isFinite(seconds) ? seconds : undefined,
          })
        })
      },
    )
    request.on('timeout', () => request.destroy(new Error('the gateway took too long to answer')))
    request.on('error', reject)
    request.end(body)
  })
}
