const crypto = require('node:crypto')

function store(password) {
  // ruleid: javascript-weak-hash
  crypto.createHash('md5').update(password).digest('hex')
  // ruleid: javascript-weak-hash
  crypto.createHash('SHA1').update(password).digest('hex')
  // ok: javascript-weak-hash
  return crypto.createHash('sha256').update(password).digest('hex')
}
