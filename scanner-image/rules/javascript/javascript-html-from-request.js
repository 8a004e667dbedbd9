function routes(app, escapeHtml) {
  app.get('/hello', (req, res) => {
    // ruleid: javascript-html-from-request
    res.send(`<h1>Hello ${req.query.name}</h1>`)
  })
  app.get('/bye', (req, res) => {
    const name = req.query.name
    // ruleid: javascript-html-from-request
    res.send('<h1>Bye ' + name + '</h1>')
  })
  app.get('/safe', (req, res) => {
    // ok: javascript-html-from-request
    res.send(`<h1>Hello ${escapeHtml(req.query.name)}</h1>`)
  })
  app.get('/api', (req, res) => {
    // ok: javascript-html-from-request
    res.json({ name: req.query.name })
  })
}
function show(element) {
  // ruleid: javascript-html-from-request
  element.innerHTML = decodeURIComponent(location.hash.slice(1))
  // ok: javascript-html-from-request
  element.textContent = location.hash
}
