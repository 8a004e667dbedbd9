/** What the scanner image holds and does not hold, the cases of its rules, and that both modes of Semgrep agree. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { aScanner, placeOf, resultsOf, type Scanner } from './scanner.ts'

const rules = join(import.meta.dirname, '../../scanner-image/rules')
const repositories = join(import.meta.dirname, '../scm-servers/github/repositories')

describe('the scanner image', () => {
  let scanner: Scanner

  before(async () => {
    scanner = await aScanner()
  })

  async function sh(script: string): Promise<string> {
    const end = await scanner.run({ command: ['sh', '-c', script] })
    assert.equal(end.exitCode, 0, end.stderr)
    return end.stdout.trim()
  }

  test('runs as user 65532 by itself', async () => {
    assert.equal(await scanner.docker(['inspect', '--format', '{{.Config.User}}', scanner.reference]), '65532:65532')
  })

  test('holds the pinned engines', async () => {
    const versions = JSON.parse(await sh('cat /opt/scanfleet/engines.json'))
    assert.equal(await sh('gitleaks version'), versions.gitleaks)
    assert.match(await sh('osv-scanner --version'), new RegExp(`osv-scanner version: ${versions['osv-scanner']}`))
    assert.match(
      await sh('HOME=/tmp /opt/semgrep/semgrep/bin/osemgrep --version --experimental'),
      new RegExp(versions.semgrep),
    )
    assert.match(await sh('git --version'), /2\.47\.3/)
  })

  test('holds no package manager, no compiler and no perl', async () => {
    for (const tool of [
      'apt',
      'apt-get',
      'dpkg',
      'pip',
      'pip3',
      'npm',
      'npx',
      'go',
      'cargo',
      'gcc',
      'cc',
      'perl',
      'curl',
      'wget',
      'ssh',
    ]) {
      assert.equal(await sh(`command -v ${tool} || echo none`), 'none', tool)
    }
    assert.equal(await sh('python3 -c "import pip" 2>/dev/null || echo none'), 'none')
  })

  test("does not hold the builder's own authorities", async () => {
    const host = await readFile('/etc/ssl/certs/ca-certificates.crt', 'utf8').catch(() => '')
    const bundle = await sh('cat /etc/ssl/certs/ca-certificates.crt')
    const blocks = (text: string) => text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    const known = Number(await sh('ls /usr/share/ca-certificates/mozilla | wc -l'))
    assert.equal(blocks(bundle).length, known, 'only those of the Debian package')
    assert.equal(await sh('ls /build /host-ca.crt 2>/dev/null | wc -l'), '0')
    assert.ok(host === '' || blocks(host).length > 0)
  })

  test('has rules that find their positive cases and leave their negative ones alone', async () => {
    const end = await scanner.run({
      command: [
        ...[
          'env',
          'HOME=/tmp',
          'PYTHONPATH=/opt/semgrep',
          'SEMGREP_SEND_METRICS=off',
          'SEMGREP_ENABLE_VERSION_CHECK=0',
        ],
        ...['python3', '-m', 'semgrep.console_scripts.pysemgrep', 'scan', '--test', '--quiet', '/rules'],
      ],
      mounts: [`${rules}:/rules:ro`],
    })
    assert.equal(end.exitCode, 0, `${end.stdout}${end.stderr}`)
    const count = languages().flatMap((language) => ruleNames(language)).length
    assert.match(`${end.stdout}${end.stderr}`, new RegExp(`${count}/${count}`))
    assert.ok(count >= 24)
  })

  test('has for each rule a weakness, a severity, a message that says the fix, and both cases', async () => {
    for (const language of languages()) {
      for (const name of ruleNames(language)) {
        const text = await readFile(join(rules, language, `${name}.yaml`), 'utf8')
        assert.match(text, new RegExp(`- id: ${name}\n`))
        assert.match(text, /cwe: \[CWE-\d+/, name)
        assert.match(text, /severity: (CRITICAL|HIGH|MEDIUM|LOW)\n/, name)
        const file = readdirSync(join(rules, language)).find(
          (entry) => entry.startsWith(`${name}.`) && !entry.endsWith('.yaml'),
        )
        const cases = await readFile(join(rules, language, file ?? ''), 'utf8')
        assert.match(cases, new RegExp(`ruleid: ${name}\n`))
        assert.match(cases, new RegExp(`ok: ${name}\n`))
      }
    }
  })

  for (const folder of [...readdirSync(repositories).map((name) => join(repositories, name)), rules]) {
    test(`finds the same in native and in classic mode in ${folder.split('/').at(-1)}`, async () => {
      const places: string[][] = []
      for (const mode of ['--native', '--classic']) {
        const end = await scanner.run({
          command: ['scanfleet-scan', 'local', '/src', mode],
          mounts: [`${folder}:/src:ro`],
        })
        assert.equal(end.exitCode, 0, end.stderr)
        places.push(
          resultsOf(JSON.parse(end.stdout))
            .filter(({ properties }) => properties.product === 'Code')
            .map(placeOf),
        )
      }
      assert.deepEqual(places[0], places[1])
    })
  }

  function languages(): string[] {
    return readdirSync(rules).filter((name) => name !== 'secrets')
  }

  function ruleNames(language: string): string[] {
    return readdirSync(join(rules, language))
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => name.slice(0, -'.yaml'.length))
  }
})
