/** The engines in the image, run over folders: what they find, what a repository cannot hide, and what fails the scan. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { exitCodes } from '../../operator/scan/contract/exit.ts'
import { fingerprintKey } from '../../operator/scan/contract/sarif.ts'
import { zip } from '../../scripts/images/zip.ts'
import {
  aFolder,
  aScanner,
  type ContainerEnd,
  type Files,
  placeOf,
  resultsOf,
  type Scanner,
  scanFiles,
} from './scanner.ts'

const repositories = join(import.meta.dirname, '../scm-servers/github/repositories')

/** Looks like a token of a known kind; put together here, so that no scanner stumbles over this file. */
const fakeToken = ['ghp', 'x9K2mQ7vR4tL8nW3pZ6sB1cD5fG0hJ2kM4qT'].join('_')

describe('the scan of a folder', () => {
  let scanner: Scanner

  before(async () => {
    scanner = await aScanner()
  })

  function assertIncomplete(end: ContainerEnd, message: RegExp): void {
    assert.equal(end.termination?.reason, 'ScannerIncomplete', end.stderr)
    assert.match(end.termination?.message ?? '', message)
    assert.equal(end.exitCode, exitCodes.ScannerIncomplete)
    assert.equal(end.stdout, '')
  }

  async function withFolder(files: Files, work: (folder: string) => Promise<void>): Promise<void> {
    const folder = await aFolder(files)
    await work(folder).finally(() => rm(folder, { recursive: true, force: true }))
  }

  for (const name of ['payments-api', 'web-shop', 'inventory', 'billing']) {
    test(`finds flaws of all three products in the sample ${name}`, async () => {
      const end = await scanner.run({
        command: ['scanfleet-scan', 'local', '/src'],
        mounts: [`${join(repositories, name)}:/src:ro`],
      })
      assert.equal(end.exitCode, 0, end.stderr)
      const results = resultsOf(JSON.parse(end.stdout))
      for (const product of ['Code', 'SupplyChain', 'Secrets']) {
        assert.ok(
          results.some(({ properties }) => properties.product === product),
          `${product} in ${name}`,
        )
      }
      const fingerprints = results.map(({ partialFingerprints }) => partialFingerprints[fingerprintKey])
      assert.equal(new Set(fingerprints).size, results.length, 'every finding has a fingerprint of its own')
    })
  }

  test('finds nothing in the clean sample, and says which engines looked', async () => {
    const end = await scanner.run({
      command: ['scanfleet-scan', 'local', '/src'],
      mounts: [`${join(repositories, 'design-tokens')}:/src:ro`],
    })
    assert.equal(end.exitCode, 0, end.stderr)
    assert.deepEqual(resultsOf(JSON.parse(end.stdout)), [])
    assert.equal(JSON.parse(end.stdout).runs.length, 3)
  })

  test('an empty folder is fine, with a notice that there was no lockfile', async () => {
    const end = await scanFiles(scanner, {})
    assert.equal(end.exitCode, 0, end.stderr)
    assert.match(end.stderr, /no lockfile/)
  })

  test('names package, advisories and the version that fixes it', async () => {
    const { sarif } = await scanFiles(scanner, { 'requirements.txt': 'flask==3.0.3\npyyaml==5.3\n' })
    const [first] = resultsOf(sarif).filter(({ ruleId }) => ruleId === 'GHSA-8q59-q68h-6hv4')
    assert.equal(first?.locations[0]?.physicalLocation.region.startLine, 2)
    assert.equal(first?.properties.severity, 'Critical')
    assert.deepEqual(first?.properties.package, {
      ecosystem: 'PyPI',
      name: 'pyyaml',
      version: '5.3',
      advisories: ['GHSA-8q59-q68h-6hv4', 'CVE-2020-14343'],
      fixedVersion: '5.4',
    })
  })

  test('no value of a secret leaves it: not as finding, not as source text of another', async () => {
    const end = await scanFiles(scanner, {
      'app.py': `import os\nos.system("curl -H 'Authorization: ${fakeToken}' " + os.environ["URL"])\n`,
    })
    assert.equal(end.exitCode, 0, end.stderr)
    assert.deepEqual(
      resultsOf(end.sarif)
        .map(({ ruleId }) => ruleId)
        .sort(),
      ['curl-auth-header', 'github-pat', 'python-shell-command'],
    )
    assert.ok(!`${end.stdout}${end.stderr}`.includes(fakeToken))
    assert.match(end.stdout, /ghp_…qT/)
  })

  test('a fingerprint survives moved and re-indented lines', async () => {
    const prints = async (text: string): Promise<string[]> =>
      resultsOf((await scanFiles(scanner, { 'a.py': text })).sarif).map(
        (one) => one.partialFingerprints[fingerprintKey],
      )
    const before = await prints('def f(x):\n    eval(x)\n    eval(x)\n')
    const after = await prints('import os\n\n\nclass C:\n    def f(self, x):\n        eval(x)\n        eval(x)\n')
    assert.equal(before.length, 2)
    assert.notEqual(before[0], before[1])
    assert.deepEqual(after, before)
  })

  test('a name that would forge a line is escaped in the result', async () => {
    const { sarif } = await scanFiles(scanner, { 'line\nbreak.py': 'eval(x)\n', 'back\\slash.py': 'eval(x)\n' })
    assert.deepEqual(resultsOf(sarif).map(placeOf).sort(), [
      'back%5Cslash.py:1 python-code-from-text',
      'line%0Abreak.py:1 python-code-from-text',
    ])
  })

  test('a repository cannot hide anything by its own files and comments, and what it tried is counted', async () => {
    const end = await scanFiles(scanner, {
      '.semgrepignore': 'ignored.py\n',
      '.gitignore': 'untracked.py\n',
      'ignored.py': 'eval(x)\n',
      'untracked.py': 'eval(x)\n',
      'comment.py': `eval(x)  # nosemgrep\nkey = "${fakeToken}"  # gitleaks:allow\n`,
      '.gitleaks.toml': '[allowlist]\npaths = [".*"]\n',
      '.gitleaksignore': 'comment.py:github-pat:2\n',
      'requirements.txt': 'pyyaml==5.3\n',
      'osv-scanner.toml': '[[IgnoredVulns]]\nid = "GHSA-8q59-q68h-6hv4"\n',
      'inner/osv-scanner.toml': '[[PackageOverrides]]\nignore = true\n',
      'inner/requirements.txt': 'pyyaml==5.4\nrequests==2.19.0\n',
    })
    assert.equal(end.exitCode, 0, end.stderr)
    const places = resultsOf(end.sarif).map(placeOf)
    for (const place of [
      'ignored.py:1 python-code-from-text',
      'untracked.py:1 python-code-from-text',
      'comment.py:1 python-code-from-text',
      'comment.py:2 github-pat',
      'requirements.txt:1 GHSA-8q59-q68h-6hv4',
      'inner/requirements.txt:2 GHSA-j8r2-6x86-q33q',
    ]) {
      assert.ok(places.includes(place), `${place} in ${places.join(', ')}`)
    }
    const { engines } = JSON.parse(end.stderr.trim().split('\n').at(-1) ?? '') as {
      engines: { name: string; suppressed: number }[]
    }
    const suppressed = Object.fromEntries(engines.map((engine) => [engine.name, engine.suppressed]))
    assert.equal(suppressed['semgrep'], 2)
    assert.equal(suppressed['gitleaks'], 1)
    assert.ok((suppressed['osv-scanner'] ?? 0) >= 2)
  })

  test('fails without rules', () =>
    withFolder({}, async (empty) => {
      const end = await scanFiles(scanner, { 'a.py': 'eval(x)\n' }, { mounts: [`${empty}:/opt/scanfleet/rules:ro`] })
      assertIncomplete(end, /no (Semgrep rules|gitleaks configuration)/)
    }))

  test('fails with a rule that cannot be read', () =>
    withFolder(
      {
        'bad.yaml':
          'rules:\n  - id: bad\n    languages: [python]\n    severity: HIGH\n    message: x\n    pattern: "f(("\n',
      },
      async (folder) => {
        const mounts = [`${folder}:/opt/scanfleet/rules/python:ro`]
        const end = await scanFiles(scanner, { 'a.py': 'eval(x)\n' }, { mounts })
        assertIncomplete(end, /rule cannot be read/)
      },
    ))

  test('fails without an advisory database', () =>
    withFolder({}, async (empty) => {
      const mounts = [`${empty}:/var/lib/scanfleet/advisories:ro`]
      assertIncomplete(
        await scanFiles(scanner, { 'requirements.txt': 'pyyaml==5.3\n' }, { mounts }),
        /no advisory database/,
      )
    }))

  test('fails with a database that is broken or lacks an ecosystem of the repository', async () => {
    await withFolder({ 'osv-scalibr/PyPI/all.zip': 'this is no archive' }, async (folder) => {
      const mounts = [`${folder}:/var/lib/scanfleet/advisories:ro`]
      assertIncomplete(await scanFiles(scanner, { 'requirements.txt': 'pyyaml==5.3\n' }, { mounts }), /database/)
    })
    const lock =
      'version = 3\n\n[[package]]\nname = "smallvec"\nversion = "0.6.1"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\n'
    assertIncomplete(await scanFiles(scanner, { 'Cargo.lock': lock }), /lacks an ecosystem.*crates\.io/)
  })

  test("a folder mounted for the purpose is the database, instead of the image's starter set", async () => {
    const record = {
      id: 'TEST-1',
      modified: '2026-01-01T00:00:00Z',
      summary: 'Only in the mounted database',
      affected: [
        {
          package: { ecosystem: 'PyPI', name: 'left-pad' },
          ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }] }],
        },
      ],
    }
    const archive = zip(new Map([['TEST-1.json', Buffer.from(JSON.stringify(record))]]))
    await withFolder({ 'osv-scalibr/PyPI/all.zip': archive }, async (folder) => {
      const mounts = [`${folder}:/var/lib/scanfleet/advisories:ro`]
      const { sarif } = await scanFiles(scanner, { 'requirements.txt': 'left-pad==1.0\npyyaml==5.3\n' }, { mounts })
      assert.deepEqual(resultsOf(sarif).map(placeOf), ['requirements.txt:1 TEST-1'])
    })
  })
})
