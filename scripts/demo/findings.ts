/** One job: read findings through the gateway's API, as a person with rights in the team's namespace would. */
import { request } from 'node:https'
import { z } from 'zod'
import { type Access, kubectl, kubectlInBackground } from './kubectl.ts'
import { namespaces, release } from './settings.ts'

const findingSchema = z.object({
  repository: z.string(),
  product: z.string(),
  severity: z.string(),
  ruleId: z.string(),
  path: z.string(),
  region: z.object({ startLine: z.number() }),
  package: z.object({ name: z.string(), version: z.string() }).optional(),
})
export type Finding = z.infer<typeof findingSchema>

const pageSchema = z.object({ items: z.array(findingSchema), nextCursor: z.string().optional() })

/** All open findings of the team's namespace, the worst first. */
export async function readFindings(access: Access): Promise<readonly Finding[]> {
  const token = (await kubectl(access, ['-n', namespaces.team, 'create', 'token', 'reader', '--duration=10m'])).trim()
  const ca = await gatewayCa(access)
  return throughForward(access, async (port) => {
    const findings: Finding[] = []
    let cursor: string | undefined
    do {
      const query = new URLSearchParams({ namespace: namespaces.team, limit: '500', ...(cursor ? { cursor } : {}) })
      const page = pageSchema.parse(await getJson(port, `/api/v1/findings?${query}`, token, ca))
      findings.push(...page.items)
      cursor = page.nextCursor
    } while (cursor)
    return findings
  })
}

/** PEM of the authority that signs the gateway's certificate. */
export async function gatewayCa(access: Access): Promise<string> {
  const path = 'jsonpath={.data.ca\\.crt}'
  const data = await kubectl(access, ['-n', namespaces.operator, 'get', 'secret', `${release}-gateway-tls`, '-o', path])
  return Buffer.from(data, 'base64').toString()
}

/** A port of this machine that leads to the gateway for as long as `work` takes. */
export async function throughForward<T>(access: Access, work: (port: number) => Promise<T>): Promise<T> {
  const service = `service/${release}-gateway`
  const forward = kubectlInBackground(access, ['-n', namespaces.operator, 'port-forward', service, ':8443'])
  try {
    const port = await new Promise<number>((resolve, reject) => {
      let output = ''
      const read = (chunk: Buffer) => {
        output += chunk
        const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(output)?.[1]
        if (found) resolve(Number(found))
      }
      forward.stdout?.on('data', read)
      forward.stderr?.on('data', read)
      forward.on('error', reject)
      forward.on('close', () =>
        reject(new Error(`The gateway cannot be reached through kubectl port-forward: ${output.trim()}`)),
      )
    })
    return await work(port)
  } finally {
    forward.kill()
  }
}

/** The certificate is for localhost, too, and signed by the gateway's own authority. */
function getJson(port: number, path: string, token: string, ca: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      path,
      ca,
      headers: { authorization: `Bearer ${token}` },
    }
    const call = request(options, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(body))
        else reject(new Error(`The gateway answered ${response.statusCode} to ${path}: ${body.slice(0, 500)}`))
      })
    })
    call.on('error', reject)
    call.end()
  })
}
