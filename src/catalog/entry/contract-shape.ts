/** What an operation's contract says, independent of the document it was written in. Shape only. */

/** A JSON Schema with the document that its references point into. */
export interface SchemaInDocument {
  readonly dialect: 'json-schema-2020-12' | 'openapi-3.0'
  /** The whole document. */
  readonly document: unknown
  /** JSON pointer of the schema within the document; `''` is the whole. */
  readonly pointer: string
}

/** One parameter of an operation (OpenAPI §4.8.12). */
export interface ParameterContract {
  readonly name: string
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  readonly required: boolean
  /** Array and object parameters are split by it: `form`, `simple`, `spaceDelimited`, `pipeDelimited`, `deepObject`. */
  readonly style: string
  readonly explode: boolean
  readonly schema: SchemaInDocument | undefined
}

/** One body by media type; an undefined schema accepts any content of that type. */
export type BodyContract = ReadonlyMap<string, SchemaInDocument | undefined>

/** One answer of an operation. */
export interface ResponseContract {
  readonly headers: readonly {
    readonly name: string
    readonly required: boolean
    readonly schema: SchemaInDocument | undefined
  }[]
  /** Undefined when the contract says nothing of a body; an empty map when there is none. */
  readonly body: BodyContract | undefined
}

/** The contract of one operation. */
export interface OperationContract {
  readonly parameters: readonly ParameterContract[]
  readonly requestBody: { readonly required: boolean; readonly content: BodyContract } | undefined
  /** By status (`200`), class (`2XX`) or `default`. */
  readonly responses: ReadonlyMap<string, ResponseContract>
}
