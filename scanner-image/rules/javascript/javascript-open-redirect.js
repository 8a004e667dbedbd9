function routes(app) {
  app.get('/login', (req, res) => {
    // ruleid: javascript-open-redirect
    res.redirect(req.query.next)
  })
  app.get('/logout', (req, res) => {
    // ok: javascript-open-redirect
    res.redirect('/')
  })
}
