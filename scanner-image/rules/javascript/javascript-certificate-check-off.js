const https = require('node:https')

// ruleid: javascript-certificate-check-off
const open = new https.Agent({ keepAlive: true, rejectUnauthorized: false })
// ruleid: javascript-certificate-check-off
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
// ok: javascript-certificate-check-off
const safe = new https.Agent({ ca: 'certificate' })
