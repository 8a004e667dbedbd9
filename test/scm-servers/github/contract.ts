/**
 * Holds calls and replies against GitHub's own API description. What does not fit is recorded and answered with an
 * error, so that neither a client nor this server can be wrong together with the other unnoticed.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ValidateFunction } from 'ajv'
import type { ApiCall, ApiReply } from './http.ts'

type Json = { [key: string]: Json } | Json[] | string | number | boolean | null
type JsonObject = { [key: string]: Json }

export interface Contract {
  /** What is wrong with the call, or undefined. */
  checkCall(template: string, call: ApiCall): string | undefined
  /** What is wrong with the reply, or undefined. Only replies of success are described completely. */
  checkReply(template: string, method: string, reply: ApiReply): string | undefined
}

export function loadContract(): Contract {
  const file = createRequire(import.meta.url).resolve('@octokit/openapi/generated/api.github.com.json')
  const description = JSON.parse(readFileSync(file, 'utf8')) as JsonObject
  // The description has keywords and formats of its own; they are no part of what is checked.
  const ajv = new Ajv({
    strict: false,
    validateSchema: false,
    validateFormats: false,
    coerceTypes: false,
    logger: false,
  })
  ajv.addSchema(withNull(description['components'] as JsonObject) as object, 'components')
  const compiled = new Map<string, ValidateFunction>()

  function operation(template: string, method: string): JsonObject | undefined {
    const path = (description['paths'] as JsonObject)[template] as JsonObject | undefined
    return path?.[method.toLowerCase()] as JsonObject | undefined
  }

  function complaint(key: string, schema: Json | undefined, value: unknown): string | undefined {
    if (schema === undefined) return undefined
    const validate = compiled.get(key) ?? ajv.compile(withNull(schema) as object)
    compiled.set(key, validate)
    return validate(value) ? undefined : `${key}: ${ajv.errorsText(validate.errors)}`
  }

  function parametersOf(found: JsonObject): JsonObject[] {
    return ((found['parameters'] as JsonObject[] | undefined) ?? []).map((parameter) => {
      const name =
        String(parameter['$ref'] ?? '')
          .split('/')
          .pop() ?? ''
      const shared = (description['components'] as JsonObject)['parameters'] as JsonObject
      return parameter['$ref'] ? (shared[name] as JsonObject) : parameter
    })
  }

  return {
    checkCall(template, call) {
      const found = operation(template, call.method)
      if (!found) return `${call.method} ${template} is not described`
      const known = parametersOf(found)
      for (const [name, value] of call.query) {
        const parameter = known.find((one) => one['in'] === 'query' && one['name'] === name)
        if (!parameter) return `${call.method} ${template} takes no parameter ${name}`
        const schema = parameter['schema'] as JsonObject
        const typed = schema['type'] === 'integer' ? Number(value) : value
        const wrong = complaint(`${call.method} ${template}?${name}`, schema, typed)
        if (wrong) return wrong
      }
      if (call.body === undefined) return undefined
      const body = found['requestBody'] as JsonObject | undefined
      if (!body) return `${call.method} ${template} takes no body`
      return complaint(`${call.method} ${template} body`, jsonSchema(body), call.body)
    },
    checkReply(template, method, reply) {
      if (reply.status >= 300) return undefined
      const described = (operation(template, method)?.['responses'] as JsonObject | undefined)?.[String(reply.status)]
      if (described === undefined) return `${method} ${template} has no reply ${reply.status}`
      return complaint(`${method} ${template} ${reply.status}`, jsonSchema(described as JsonObject), reply.body)
    },
  }
}

function jsonSchema(described: JsonObject): Json | undefined {
  const content = described['content'] as JsonObject | undefined
  return (content?.['application/json'] as JsonObject | undefined)?.['schema']
}

/** OpenAPI 3.0 says `nullable`, JSON Schema a type; and references lead into the components. */
function withNull(value: Json): Json {
  if (Array.isArray(value)) return value.map(withNull)
  if (value === null || typeof value !== 'object') return value
  const { nullable, ...rest } = value
  const inner: JsonObject = Object.fromEntries(
    Object.entries(rest).map(([key, child]) => [
      key,
      key === '$ref' && typeof child === 'string'
        ? child.replace('#/components/', 'components#/')
        : key === 'enum'
          ? child
          : withNull(child),
    ]),
  )
  return nullable === true ? { anyOf: [inner, { type: 'null' }] } : inner
}
