import express from 'express'
import minimist from 'minimist'
import { orders } from './routes/orders.ts'
import { pages } from './routes/pages.ts'
import { session } from './session.ts'

const options = minimist(process.argv.slice(2), { default: { port: 3000 } })
const app = express()

app.use(express.json())
app.use((request, response, next) => {
  response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '*')
  response.setHeader('Access-Control-Allow-Credentials', 'true')
  next()
})
app.use(express.static('public'))
app.use(session)
app.use('/orders', orders)
app.use('/', pages)

app.listen(options.port, () => console.log(`web-shop listens on ${options.port}`))
