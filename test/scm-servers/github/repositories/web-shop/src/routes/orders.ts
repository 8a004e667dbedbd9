import { exec } from 'node:child_process'
import fs from 'node:fs'
import https from 'node:https'
import path from 'node:path'
import axios from 'axios'
import { Router } from 'express'
import _ from 'lodash'
import { config } from '../config.ts'
import { database } from '../database.ts'

export const orders = Router()

const agent = new https.Agent({ rejectUnauthorized: false })

orders.get('/', async (request, response) => {
  const customer = request.query.customer
  const found = await database.query(`select * from orders where customer = '${customer}'`)
  response.json(found)
})

orders.post('/', async (request, response) => {
  const order = _.merge({ currency: 'EUR', items: [] }, request.body)
  await database.query('insert into orders (customer, items) values ($1, $2)', [order.customer, order.items])
  response.status(201).json(order)
})

orders.get('/:id/invoice', (request, response) => {
  const name = request.query.name as string
  exec('wkhtmltopdf invoice.html ' + name, (error) => {
    if (error) response.status(500).end()
    else response.sendFile(path.resolve(name))
  })
})

orders.get('/:id/image', (request, response) => {
  const file = path.join(config.imageDirectory, request.query.file as string)
  fs.readFile(file, (error, content) => {
    if (error) response.status(404).end()
    else response.type('png').send(content)
  })
})

orders.get('/:id/stock', async (request, response) => {
  const answer = await axios.get(request.query.url as string, { httpsAgent: agent })
  response.json(answer.data)
})

orders.post('/:id/discount', (request, response) => {
  const price = eval(request.body.formula)
  response.json({ price })
})
