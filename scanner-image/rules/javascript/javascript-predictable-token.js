const crypto = require('node:crypto')

function createSessionId() {
  // ruleid: javascript-predictable-token
  return Math.random().toString(36)
}
function pick(list) {
  // ok: javascript-predictable-token
  return list[Math.floor(Math.random() * list.length)]
}
// ok: javascript-predictable-token
const token = crypto.randomUUID()
