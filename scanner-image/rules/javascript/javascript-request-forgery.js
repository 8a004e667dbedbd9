function routes(app, axios) {
  app.get('/preview', async (req, res) => {
    // ruleid: javascript-request-forgery
    const answer = await fetch(req.query.url)
    res.json(await answer.json())
  })
  app.post('/hook', async (req, res) => {
    const { target } = req.body
    // ruleid: javascript-request-forgery
    await axios.post(target, {})
    // ok: javascript-request-forgery
    await fetch('https://api.example.com/users/' + encodeURIComponent(req.body.id))
    res.end()
  })
}
