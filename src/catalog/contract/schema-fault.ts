/** The one error of the contract checks, raised while a contract is compiled and never while a call is judged. */

/** The schema cannot be used. */
export class SchemaFault extends Error {
  readonly code = 'schema-fault'
}
