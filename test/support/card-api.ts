/** An OpenAPI description of a card vendor, in 3.1 and in 3.0, with an entry for it; for contract and distrust tests. */
import type { ApiEntry } from '../../src/catalog/entry/entry.ts'
import { cardsYaml, entryOf } from './catalog.ts'

/** The document; `version` decides the dialect of `nullable`. */
export const cardsOpenApi = (version: '3.0.3' | '3.1.0'): string => {
  const nullableText =
    version === '3.1.0' ? '{ type: [string, "null"] }' : '{ type: string, nullable: true }'
  return `openapi: ${version}
info: { title: cards, version: '1' }
servers: [{ url: 'https://cards.example:8443/v1' }]
paths:
  /charges:
    get:
      operationId: listCharges
      parameters:
        - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 100 } }
        - { name: expand, in: query, schema: { type: array, items: { enum: [card, customer] } } }
        - { name: created, in: query, style: deepObject, explode: true, schema: { type: object, properties: { gte: { type: integer } } } }
        - { name: X-Api-Version, in: header, required: true, schema: { type: string, pattern: '^\\d{4}-\\d{2}$' } }
      responses:
        '200':
          headers: { X-Total: { required: true, schema: { type: integer } } }
          content: { application/json: { schema: { type: array, items: { $ref: '#/components/schemas/Charge' } } } }
    post:
      operationId: createCharge
      x-sallyport-text: [/note, '/lines/*/label']
      requestBody:
        required: true
        content:
          application/json: { schema: { $ref: '#/components/schemas/Charge' } }
          application/x-www-form-urlencoded:
            schema: { type: object, required: [amount], additionalProperties: false, properties: { amount: { type: integer }, card: { type: object, properties: { number: { type: string } } } } }
      responses:
        '201': { content: { application/json: { schema: { $ref: '#/components/schemas/Charge' } } } }
        4XX: { content: { application/problem+json: { schema: { type: object, required: [title] } } } }
  /charges/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: string, pattern: '^ch_[a-z0-9]+$' } }
    get:
      operationId: getCharge
      responses: { '200': { $ref: '#/components/responses/One' }, '204': {} }
components:
  responses:
    One: { content: { application/json: { schema: { $ref: '#/components/schemas/Charge' } } } }
  schemas:
    Charge:
      type: object
      required: [id, amount, secret]
      properties:
        id: { type: string, readOnly: true }
        secret: { type: string, writeOnly: true }
        amount: { type: number, minimum: 0, exclusiveMinimum: ${version === '3.1.0' ? '0' : 'true'} }
        currency: { enum: [eur, usd] }
        note: ${nullableText}
        parent: { $ref: '#/components/schemas/Charge' }
        lines: { type: array, maxItems: 3, items: { type: object, properties: { label: { type: string } } } }
        metadata: { type: object, additionalProperties: { type: string } }
      example: { $ref: 'https://vendor.example/not-a-reference' }
`
}

/** The entry for {@link cardsOpenApi}, with `more` YAML lines at its end. */
export const cardsEntry = (more = '', version: '3.0.3' | '3.1.0' = '3.1.0'): ApiEntry =>
  entryOf(
    cardsYaml(more).replace(
      /operations:\n(.*\n){2}/,
      'operations: { openapi: cards.openapi.yaml }\n',
    ),
    { 'cards.openapi.yaml': cardsOpenApi(version) },
  )
