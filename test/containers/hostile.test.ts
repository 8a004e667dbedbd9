/** Repositories made to harm whoever clones them: nothing of them runs, and each ends in a scan or a clear refusal. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { exitCodes } from '../../operator/scan/contract/exit.ts'
import { planVariable } from '../../operator/scan/contract/plan.ts'
import { aCodeHost, type CodeHost, type HostileRepository, type TreeEntry } from './host.ts'
import { aPod, aScanner, type ContainerEnd, type Pod, type Scanner } from './scanner.ts'

const harmless: TreeEntry = { mode: '100644', name: 'zz.txt', is: 'harmless\n' }

describe('a hostile repository', () => {
  let scanner: Scanner
  let host: CodeHost

  before(async () => {
    scanner = await aScanner()
    host = await aCodeHost()
  })
  after(() => host.stop())

  async function clone(
    repository: HostileRepository,
    look: (end: ContainerEnd, pod: Pod) => Promise<void> | void,
    limits?: { treeFiles?: number; treeBytes?: number },
  ): Promise<void> {
    const pod = await aPod(scanner, { token: host.token, 'code-host-ca.crt': host.server.caPem })
    try {
      const plan = host.plan(repository)
      const end = await pod.clone({ ...plan, limits: { ...plan.limits, ...limits } })
      await look(end, pod)
    } finally {
      await pod.dispose()
    }
  }

  function refused(reason: keyof typeof exitCodes, message: RegExp) {
    return async (end: ContainerEnd, pod: Pod): Promise<void> => {
      assert.equal(end.termination?.reason, reason, end.stderr)
      assert.match(end.termination?.message ?? '', message)
      const files = await readdir(join(pod.workspace, 'checkout')).catch(() => [])
      assert.deepEqual(files, [], 'nothing was checked out')
    }
  }

  test('has its submodules counted and not fetched', async () => {
    const repository = await host.addTree('submodule', [
      {
        mode: '100644',
        name: '.gitmodules',
        is: '[submodule "sub"]\n\tpath = sub\n\turl = https://localhost:1/sub.git\n',
      },
      { mode: '160000', name: 'sub', is: { object: 'c'.repeat(40) } },
      harmless,
    ])
    await clone(repository, async (end, pod) => {
      assert.equal(end.exitCode, 0, end.stderr)
      const handover = await pod.handover()
      assert.ok(handover.ok && handover.skipped.submodules === 1)
      assert.deepEqual((await readdir(join(pod.workspace, 'checkout'))).sort(), ['.gitmodules', 'zz.txt'])
    })
  })

  test('cannot place a hook by a symlink and a submodule that meet where letters have no case', async () => {
    const repository = await host.addTree('case', [
      {
        mode: '40000',
        name: 'A',
        is: [{ mode: '100755', name: 'post-checkout', is: '#!/bin/sh\ntouch /workspace/owned\n' }],
      },
      { mode: '120000', name: 'a', is: '.git' },
      harmless,
    ])
    await clone(repository, async (end, pod) => {
      assert.equal(end.exitCode, 0, end.stderr)
      assert.ok((await lstat(join(pod.workspace, 'checkout/a'))).isFile())
      assert.ok(!(await readdir(pod.workspace)).includes('owned'))
    })
  })

  test('cannot smuggle a submodule path that ends in a carriage return', async () => {
    const repository = await host.addTree('carriage-return', [
      {
        mode: '100644',
        name: '.gitmodules',
        is: '[submodule "sub"]\n\tpath = "sub\r"\n\turl = https://localhost:1/sub.git\n',
      },
      { mode: '120000', name: 'sub\r', is: '.git/modules/sub/hooks' },
      harmless,
    ])
    await clone(repository, async (end, pod) => {
      assert.equal(end.exitCode, 0, end.stderr)
      assert.ok((await lstat(join(pod.workspace, 'checkout/sub\r'))).isFile())
      assert.deepEqual(await readdir(join(pod.workspace, 'git/hooks')).catch(() => []), [])
    })
  })

  test('with an option for git as the address of a submodule is refused', async () => {
    const repository = await host.addTree('option', [
      { mode: '100644', name: '.gitmodules', is: '[submodule "sub"]\n\tpath = sub\n\turl = --upload-pack=touch\n' },
      harmless,
    ])
    await clone(repository, refused('RepositoryUnsafe', /integrity/))
  })

  for (const name of ['.git', '..', '.GIT']) {
    test(`with an entry named ${name} is refused`, async () => {
      const repository = await host.addTree(`entry-${Buffer.from(name).toString('hex')}`, [
        {
          mode: '40000',
          name,
          is: [{ mode: '100644', name: 'config', is: '[core]\n\tfsmonitor = touch /workspace/owned\n' }],
        },
        harmless,
      ])
      await clone(repository, refused('RepositoryUnsafe', /integrity/))
    })
  }

  test('has a bare repository inside it treated as plain files', async () => {
    const repository = await host.addTree('nested', [
      {
        mode: '40000',
        name: 'inner',
        is: [
          { mode: '100644', name: 'HEAD', is: 'ref: refs/heads/main\n' },
          {
            mode: '100644',
            name: 'config',
            is: '[core]\n\tbare = false\n\tfsmonitor = "touch /workspace/owned; false"\n',
          },
          { mode: '40000', name: 'objects', is: [{ mode: '100644', name: 'x', is: '' }] },
          { mode: '40000', name: 'refs', is: [{ mode: '100644', name: 'x', is: '' }] },
        ],
      },
      harmless,
    ])
    await clone(repository, async (end, pod) => {
      assert.equal(end.exitCode, 0, end.stderr)
      assert.ok(!(await readdir(pod.workspace)).includes('owned'))
    })
  })

  test('has its symlinks written as files, so that nothing of the pod is read through them', async () => {
    const repository = await host.addTree('symlink', [
      { mode: '120000', name: 'environ', is: '/proc/self/environ' },
      harmless,
    ])
    await clone(repository, async (end, pod) => {
      assert.equal(end.exitCode, 0, end.stderr)
      assert.equal(await readFile(join(pod.workspace, 'checkout/environ'), 'utf8'), '/proc/self/environ')
      const handover = await pod.handover()
      assert.ok(handover.ok && handover.skipped.symlinks === 1)
    })
  })

  test('cannot hide code by an encoding or a filter of its attributes', async () => {
    const repository = await host.addTree('attributes', [
      { mode: '100644', name: '.gitattributes', is: '*.py working-tree-encoding=UTF-16 ident filter=evil\n' },
      { mode: '100644', name: 'main.py', is: 'eval(input())  # $Id$\n' },
    ])
    await clone(repository, async (end, pod) => {
      assert.equal(end.exitCode, 0, end.stderr)
      assert.equal(await readFile(join(pod.workspace, 'checkout/main.py'), 'utf8'), 'eval(input())  # $Id$\n')
    })
  })

  test('has its Git LFS pointers counted', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'d'.repeat(64)}\nsize 12345\n`
    const repository = await host.addTree('lfs', [{ mode: '100644', name: 'model.bin', is: pointer }, harmless])
    await clone(repository, async (end, pod) => {
      assert.equal(end.exitCode, 0, end.stderr)
      const handover = await pod.handover()
      assert.ok(handover.ok && handover.skipped.lfsPointers === 1)
    })
  })

  test('may have names that are not text', async () => {
    const name = Buffer.concat([Buffer.from('odd-'), Buffer.from([0xff, 0xfe]), Buffer.from('.py')])
    const repository = await host.addTree('names', [
      { mode: '100644', name: 'line\nbreak.py', is: '1\n' },
      { mode: '100644', name, is: '2\n' },
      { mode: '100644', name: 'txt.\u202eyp', is: '3\n' },
    ])
    await clone(repository, async (end, pod) => {
      assert.equal(end.exitCode, 0, end.stderr)
      assert.equal((await readdir(join(pod.workspace, 'checkout'))).length, 3)
    })
  })

  test('with a name that no file system can hold is refused', async () => {
    const repository = await host.addTree('long', [{ mode: '100644', name: 'n'.repeat(300), is: '1\n' }, harmless])
    await clone(repository, refused('RepositoryUnsafe', /longer than 255 bytes/))
  })

  test('that unfolds to ten billion files is refused before any is written', async () => {
    const repository = await host.addMade('bomb', async ({ tree }) => {
      let object = await tree(Array.from({ length: 10 }, (_, i) => ({ mode: '100644', name: `f${i}`, is: 'x' })))
      for (let level = 0; level < 9; level += 1) {
        object = await tree(Array.from({ length: 10 }, (_, i) => ({ mode: '40000', name: `d${i}`, is: { object } })))
      }
      return object
    })
    await clone(repository, refused('RepositoryTooLarge', /more than 10000 files/))
  })

  test('with a file that unpacks to more than the limit is refused before it is written', async () => {
    const repository = await host.addTree('zeros', [{ mode: '100644', name: 'zeros', is: Buffer.alloc(60_000_000) }])
    await clone(repository, refused('RepositoryTooLarge', /more than 50000000 bytes/))
  })

  test('of many small files is refused by the room that they take, not by what they hold', async () => {
    const files = Array.from({ length: 3000 }, (_, n) => ({
      mode: '100644' as const,
      // In the order of a tree.
      name: String(n).padStart(4, '0'),
      is: Buffer.from('x'),
    }))
    const repository = await host.addTree('crumbs', files)
    await clone(repository, refused('RepositoryTooLarge', /more than 10000000 bytes/), { treeBytes: 10_000_000 })
  })

  test('that sends more than a commit can hold is stopped while it arrives', async () => {
    const repository = await host.addTree('noise', [{ mode: '100644', name: 'noise', is: randomBytes(90_000_000) }])
    await clone(repository, refused('RepositoryTooLarge', /bytes/), { treeBytes: 1_000_000 })
  })

  test('that fills the volume ends with that reason', async () => {
    const repository = await host.addTree('disk', [{ mode: '100644', name: 'noise', is: randomBytes(12_000_000) }])
    const pod = await aPod(scanner, { token: host.token, 'code-host-ca.crt': host.server.caPem })
    try {
      const end = await scanner.run({
        command: ['scanfleet-clone'],
        network: 'host',
        environment: { [planVariable]: JSON.stringify(host.plan(repository)) },
        mounts: [`${pod.secrets}:/var/run/scanfleet:ro`],
        arguments: ['--tmpfs', '/workspace:size=4m,mode=1777'],
      })
      assert.equal(end.termination?.reason, 'DiskFull', end.stderr)
      assert.equal(end.exitCode, exitCodes.DiskFull)
    } finally {
      await pod.dispose()
    }
  })
})
