import { Router } from 'express'

export const pages = Router()

pages.get('/search', (request, response) => {
  const words = request.query.q
  response.send('<h1>Results for ' + words + '</h1>')
})

pages.get('/leave', (request, response) => {
  response.redirect(request.query.to as string)
})

pages.get('/health', (_request, response) => {
  response.json({ ok: true })
})
