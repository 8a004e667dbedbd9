const jwt = require('jsonwebtoken')

function user(token, key) {
  // ruleid: javascript-jwt-not-verified
  jwt.decode(token)
  // ruleid: javascript-jwt-not-verified
  jwt.verify(token, key, { algorithms: ['HS256', 'none'] })
  // ok: javascript-jwt-not-verified
  return jwt.verify(token, key, { algorithms: ['HS256'] })
}
