/** One job: the control groups under which a node's pods run, on cgroup v1 and v2, made before and removed after. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Makes the group `name` at the top of every hierarchy. */
export function makeCgroups(name: string): void {
  for (const root of hierarchies()) {
    mkdirSync(join(root, name), { recursive: true })
    if (!existsSync(join(root, 'cgroup.subtree_control'))) continue
    // In v2 a group can only limit what its parent hands down.
    const controllers = readFileSync(join(root, 'cgroup.controllers'), 'utf8').trim().split(' ').filter(Boolean)
    for (const controller of controllers) writeFileSync(join(root, 'cgroup.subtree_control'), `+${controller}`)
  }
}

/** Removes the groups. Their processes are ended already; the kernel may need a moment to let go of them. */
export async function removeCgroups(name: string): Promise<void> {
  for (const root of hierarchies()) await removeTree(join(root, name), Date.now() + 30_000)
}

async function removeTree(folder: string, deadline: number): Promise<void> {
  if (!existsSync(folder)) return
  const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const child of children) await removeTree(join(folder, child.name), deadline)
  for (;;) {
    try {
      return rmdirSync(folder)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'ENOENT') return
      if (code !== 'EBUSY' || Date.now() > deadline) throw error
      await sleep(20)
    }
  }
}

/** Mount points of all cgroup hierarchies. */
function hierarchies(): readonly string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
  return mounts.filter(([, , type]) => type === 'cgroup' || type === 'cgroup2').map(([, path = '']) => path)
}
