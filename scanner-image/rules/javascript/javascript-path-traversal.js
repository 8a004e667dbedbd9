const fs = require('node:fs')
const path = require('node:path')

function routes(app) {
  app.get('/file', (req, res) => {
    const name = req.query.name
    // ruleid: javascript-path-traversal
    res.send(fs.readFileSync(path.join('reports', name)))
  })
  app.get('/download/:name', (req, res) => {
    // ruleid: javascript-path-traversal
    res.sendFile('/srv/reports/' + req.params.name)
  })
  app.get('/safe/:name', (req, res) => {
    // ok: javascript-path-traversal
    res.sendFile('/srv/reports/' + path.basename(req.params.name))
  })
}
