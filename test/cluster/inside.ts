/** One job: ask questions from inside a container of a pod, by the Node that the scanner image brings. */
import { z } from 'zod'
import type { Product } from '../support/product.ts'

export interface Container {
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** Runs JavaScript in a container; what it prints is parsed as JSON. The script finds `args` from process.argv[1] on. */
export async function inside<T>(
  product: Product,
  { namespace, pod, container }: Container,
  schema: z.ZodType<T>,
  script: string,
  args: readonly string[] = [],
): Promise<T> {
  const output = await product.kubectl([
    'exec',
    '-n',
    namespace,
    pod,
    '-c',
    container,
    '--',
    'node',
    '-e',
    script,
    ...args,
  ])
  return schema.parse(JSON.parse(output))
}

/** Which of these `tcp://` and `udp://` addresses answer; a datagram counts when an answer to it comes back. */
export async function reachable(
  product: Product,
  container: Container,
  addresses: readonly string[],
): Promise<readonly string[]> {
  return inside(product, container, z.array(z.string()), dialScript, addresses)
}

const dialScript = `
const net = require('node:net'), dgram = require('node:dgram')
const tcp = ({ hostname, port }) => new Promise((resolve) => {
  const socket = net.connect({ host: hostname, port: Number(port) })
  const end = (open) => { clearTimeout(timer); socket.destroy(); resolve(open) }
  const timer = setTimeout(end, 2500, false)
  socket.once('connect', () => end(true)).once('error', () => end(false))
})
const udp = ({ hostname, port }) => new Promise((resolve) => {
  const socket = dgram.createSocket('udp4')
  const end = (open) => { clearTimeout(timer); socket.close(); resolve(open) }
  const timer = setTimeout(end, 2500, false)
  socket.once('message', () => end(true)).on('error', () => undefined)
  socket.send('anybody there?', Number(port), hostname)
})
const dial = async (text) => {
  const url = new URL(text)
  return (await (url.protocol === 'udp:' ? udp(url) : tcp(url))) ? [text] : []
}
Promise.all(process.argv.slice(1).map(dial)).then((all) => console.log(JSON.stringify(all.flat())))
`

const circumstancesSchema = z.object({
  /** First user of the machine that the pod's root is, and how many follow. */
  userMap: z.array(z.number()),
  status: z.record(z.string(), z.string()),
  /** Folders, and the error of an attempt to write there; empty when it went well. */
  writes: z.record(z.string(), z.string()),
  secrets: z.array(z.string()),
  hasServiceAccount: z.boolean(),
  /** Command lines of all processes that can be seen. */
  processes: z.array(z.string()),
  environment: z.array(z.string()),
  lookup: z.string(),
})
export type Circumstances = z.infer<typeof circumstancesSchema>

/** What a process in the container is and may. */
export function circumstances(product: Product, container: Container): Promise<Circumstances> {
  return inside(product, container, circumstancesSchema, circumstancesScript)
}

const circumstancesScript = `
const fs = require('node:fs'), dns = require('node:dns')
const write = (folder) => { try { fs.writeFileSync(folder + '/probe', ''); fs.rmSync(folder + '/probe'); return '' } catch (e) { return e.code } }
const folders = ['/', '/etc', '/usr/local/bin', '/opt/scanfleet', '/var/run/scanfleet', '/tmp', '/workspace']
const lines = fs.readFileSync('/proc/self/status', 'utf8').split('\\n').map((line) => line.split(':\\t'))
const commands = fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).map((pid) => {
  try { return fs.readFileSync('/proc/' + pid + '/cmdline', 'utf8').replaceAll('\\0', ' ') } catch { return '' }
})
dns.lookup('example.com', (error) => console.log(JSON.stringify({
  userMap: fs.readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\\s+/).map(Number).slice(1),
  status: Object.fromEntries(lines.filter(([, value]) => value !== undefined)),
  writes: Object.fromEntries(folders.map((folder) => [folder, write(folder)])),
  secrets: fs.readdirSync('/var/run/scanfleet').filter((name) => !name.startsWith('..')).sort(),
  hasServiceAccount: fs.existsSync('/var/run/secrets/kubernetes.io'),
  processes: commands,
  environment: Object.keys(process.env).sort(),
  lookup: error ? error.code : 'found',
})))
`
