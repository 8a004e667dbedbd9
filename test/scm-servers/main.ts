/** `npm run scm-server -- github …`: runs a demo code host until it is stopped, for people and for `make demo`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startGitHubServer } from './github/index.ts'

const usage = `Usage: npm run scm-server -- github [options]
  --address A      address to listen at (127.0.0.1)
  --port N         port (a free one)
  --host-name NAME name under which clients know the host (localhost)
  --name NAME      further name or address of the certificate; may be repeated
  --state DIR      folder for certificate, keys and repositories (.local/scm-servers/github)
  --organization O login of the organization (acme)
  --repos DIR      serve this local git repository as well; may be repeated
  --no-samples     do not serve the sample repositories
DIR/connection.json then tells where the host is, and names the files with its CA, App key and token.`

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: {
      address: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
      'host-name': { type: 'string', default: 'localhost' },
      name: { type: 'string', multiple: true, default: [] },
      state: { type: 'string', default: '.local/scm-servers/github' },
      organization: { type: 'string', default: 'acme' },
      repos: { type: 'string', multiple: true, default: [] },
      samples: { type: 'boolean', default: true },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help || positionals[0] !== 'github' || !/^\d{1,5}$/.test(values.port)) throw new Error(usage)
  const folder = resolve(values.state)
  const server = await startGitHubServer({
    address: values.address,
    port: Number(values.port),
    hostName: values['host-name'],
    alternativeNames: values.name,
    stateDir: folder,
    organization: values.organization,
    // `--repos a b c` reads naturally, so that what follows counts as folders, too.
    repos: [...values.repos, ...positionals.slice(1)],
    samples: values.samples,
  })
  const token = join(folder, 'token')
  // Whoever was given the token keeps it over a restart.
  const known = existsSync(token) ? { token: readFileSync(token, 'utf8') } : {}
  writeFileSync(token, server.issueToken(known), { mode: 0o600 })
  const facts = {
    pid: process.pid,
    url: server.url,
    apiUrl: server.apiUrl,
    organization: server.organization,
    caFile: join(folder, 'ca.crt'),
    appId: server.app.id,
    appPrivateKeyFile: join(folder, 'app.private-key.pem'),
    tokenFile: token,
    repositories: server.state.repositories.map(({ owner, name }) => `${owner}/${name}`),
  }
  writeFileSync(join(folder, 'connection.json'), `${JSON.stringify(facts, null, 2)}\n`)
  console.log(JSON.stringify(facts, null, 2))
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void server.stop().then(() => process.exit(0)))
}

main().catch((error: unknown) => {
  const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  console.error(error instanceof Error ? error.message : error)
  if (taken) console.error('Choose another --port, or leave it out for a free one.')
  process.exitCode = 1
})
