/** Clones from the demo code host by real git: who may, with what, and for how long. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { CloneCredential, Repository, Scm } from '../../operator/scm/types.ts'
import { startGitHubServer } from '../scm-servers/github/index.ts'
import { gitEnvironment, linkRepository, samplesFolder } from '../scm-servers/github/repositories.ts'
import { repositoryNamed, soon } from './expect.ts'
import { type Host, hostKinds } from './hosts.ts'

const run = promisify(execFile)

describe('a clone', () => {
  let host: Host
  let scm: Scm
  let folder: string
  let shop: Repository
  before(async () => {
    const kind = hostKinds[1]
    assert.ok(kind?.mints)
    host = await kind.start()
    await host.server.addRepository('shop', { source: join(samplesFolder, 'payments-api') })
    await host.server.addRepository('vault', { source: join(samplesFolder, 'design-tokens') })
    scm = host.scm()
    shop = await repositoryNamed(scm, 'acme/shop')
    folder = await mkdtemp(join(tmpdir(), 'scanfleet-git-'))
    await writeFile(join(folder, 'ca.crt'), host.server.caPem)
  })
  after(async () => {
    await host.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** Fetches one commit as the scan pod does, and returns the files or git's complaint. */
  async function fetchCommit(
    name: string,
    commit: string,
    login: { username: string; token: string },
  ): Promise<string[] | string> {
    const target = await mkdtemp(join(folder, 'clone-'))
    const header = Buffer.from(`${login.username}:${login.token}`).toString('base64')
    const git = (...args: string[]) =>
      run('git', ['-C', target, ...args], {
        env: {
          ...gitEnvironment,
          GIT_TERMINAL_PROMPT: '0',
          GIT_SSL_CAINFO: join(folder, 'ca.crt'),
          GIT_CONFIG_COUNT: '1',
          GIT_CONFIG_KEY_0: 'http.extraHeader',
          GIT_CONFIG_VALUE_0: `Authorization: Basic ${header}`,
        },
      })
    try {
      await git('init', '--quiet')
      await git('fetch', '--quiet', '--depth=1', `${host.server.url}/acme/${name}.git`, commit)
      await git('checkout', '--quiet', 'FETCH_HEAD')
      return (await readdir(target)).filter((file) => file !== '.git').sort()
    } catch (error) {
      return String((error as { stderr?: string }).stderr)
    }
  }

  async function mint(): Promise<CloneCredential> {
    return scm.mintCloneCredential(shop, soon())
  }

  test('with a minted credential brings exactly the commit that was resolved', async () => {
    const head = await scm.resolveHead(shop, undefined, soon())

    const files = await fetchCommit('shop', head.commit, await mint())

    assert.deepEqual(files, (await readdir(join(samplesFolder, 'payments-api'))).sort())
  })

  test('with a credential for another repository is refused as if there were none', async () => {
    assert.match(String(await fetchCommit('vault', 'main', await mint())), /not found/)
  })

  test('with a revoked credential is refused at once, and its use is counted', async () => {
    const credential = await mint()
    assert.ok(Array.isArray(await fetchCommit('shop', 'main', credential)))
    const used = host.server.stats.gitCallsWith(credential.token)

    await scm.revokeCloneCredential(credential, soon())

    assert.match(
      String(await fetchCommit('shop', 'main', credential)),
      /could not read Username|Authentication failed|Invalid username or token/,
    )
    assert.ok(used >= 2)
    assert.ok(host.server.stats.gitCallsWith(credential.token) > used)
  })

  test('with a minted token under another user name is refused', async () => {
    const { token } = await mint()

    assert.equal(typeof (await fetchCommit('shop', 'main', { username: 'somebody', token })), 'string')
  })

  test('with a person’s token may name any user', async () => {
    const token = host.server.issueToken()

    assert.ok(Array.isArray(await fetchCommit('shop', 'main', { username: 'anybody', token })))
  })

  test('of a commit that is not there is refused', async () => {
    assert.match(String(await fetchCommit('shop', '1'.repeat(40), await mint())), /not our ref|upload-pack/)
  })

  test('is the only thing that git may do: nothing can be pushed', async () => {
    const { token } = await mint()
    const answer = await run('git', ['push', `${host.server.url}/acme/shop.git`, 'HEAD:refs/heads/evil'], {
      cwd: host.server.state.repositories[0]?.git.gitDir,
      env: {
        ...gitEnvironment,
        GIT_TERMINAL_PROMPT: '0',
        GIT_SSL_CAINFO: join(folder, 'ca.crt'),
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'http.extraHeader',
        GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`,
      },
    }).then(
      () => 'pushed',
      (error: { stderr: string }) => error.stderr,
    )

    assert.match(answer, /403/)
  })
})

describe('the demo code host', () => {
  test('makes the same commits of the same files every time', async () => {
    const heads = []
    for (let start = 0; start < 2; start++) {
      const server = await startGitHubServer()
      heads.push(await headsOf(server.state.repositories.map(({ git }) => git.gitDir)))
      await server.stop()
    }

    assert.deepEqual(heads[0], heads[1])
    assert.equal(heads[0]?.length, 5)
  })

  test('serves local repositories beside its own, and says which folder is none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scanfleet-local-'))
    try {
      await run('git', ['init', '--quiet', join(folder, 'my tool')], { env: { ...gitEnvironment } })
      const server = await startGitHubServer({ samples: false, repos: [join(folder, 'my tool')] })
      assert.deepEqual(
        server.state.repositories.map(({ owner, name }) => `${owner}/${name}`),
        ['acme/my-tool'],
      )
      await server.stop()

      await assert.rejects(linkRepository(folder, 'acme', tmpdir()), /is no git repository/)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('shows a new commit and a new branch of a local repository at once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scanfleet-local-'))
    const git = (...args: string[]) =>
      run('git', ['-C', folder, '-c', 'user.name=Dana', '-c', 'user.email=dana@example.test', ...args], {
        env: { ...gitEnvironment },
      })
    try {
      await git('init', '--quiet', '--initial-branch=trunk')
      const root = await mkdtemp(join(folder, 'served-'))
      const { git: served } = await linkRepository(root, 'acme', folder)
      assert.equal((await served.facts()).branches.size, 0)

      await git('commit', '--quiet', '--allow-empty', '--message', 'one')
      const first = await served.facts()
      await git('commit', '--quiet', '--allow-empty', '--message', 'two')
      await git('branch', 'feature/deep/one')
      const second = await served.facts()

      assert.equal(first.defaultBranch, 'trunk')
      assert.deepEqual([...second.branches.keys()].sort(), ['feature/deep/one', 'trunk'])
      assert.notEqual(second.branches.get('trunk'), first.branches.get('trunk'))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('keeps certificate and App key over a restart with the same folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'scanfleet-state-'))
    try {
      const start = () =>
        startGitHubServer({ stateDir: folder, samples: false, alternativeNames: ['github.demo.test'] })
      const first = await start()
      await first.stop()
      const second = await start()
      await second.stop()

      assert.equal(second.caPem, first.caPem)
      assert.equal(second.app.privateKey, first.app.privateKey)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('refuses calls without a User-Agent, without a known API version, or with a body that is no JSON', async () => {
    const server = await startGitHubServer({ samples: false })
    const { request } = await import('node:https')
    const status = (headers: Record<string, string>, body?: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const options = { method: body ? 'POST' : 'GET', ca: server.caPem, headers }
        request(`${server.apiUrl}/${body ? 'app/installations/1/access_tokens' : 'users/acme'}`, options, (reply) => {
          reply.resume()
          resolve(reply.statusCode)
        })
          .on('error', reject)
          .end(body)
      })
    const good = { 'user-agent': 'test', 'x-github-api-version': '2022-11-28', accept: 'application/vnd.github+json' }

    assert.equal(await status(good), 200)
    assert.equal(await status({ ...good, 'user-agent': '' }), 403)
    assert.equal(await status({ ...good, 'x-github-api-version': '1999-01-01' }), 400)
    assert.equal(await status(good, '{'), 400)
    await server.stop()
  })
})

async function headsOf(gitDirs: readonly string[]): Promise<string[]> {
  const heads = await Promise.all(
    gitDirs.map((gitDir) => run('git', ['--git-dir', gitDir, 'rev-parse', 'HEAD'], { env: { ...gitEnvironment } })),
  )
  return heads.map(({ stdout }) => stdout.trim())
}
