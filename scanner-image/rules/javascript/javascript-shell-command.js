const { exec, execFile, execSync } = require('node:child_process')
const childProcess = require('node:child_process')

function convert(name, done) {
  // ruleid: javascript-shell-command
  exec(`convert ${name} out.png`, done)
  const command = 'identify ' + name
  // ruleid: javascript-shell-command
  childProcess.execSync(command)
  // ok: javascript-shell-command
  execFile('convert', [name, 'out.png'], done)
  // ok: javascript-shell-command
  execSync('sync')
}
