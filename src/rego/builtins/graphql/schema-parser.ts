/** Parses GraphQL schema documents: definitions and extensions of types, directives and the schema itself. */
import {
  node,
  type DefinitionNode,
  type DirectiveDefinitionNode,
  type EnumValueNode,
  type FieldNode,
  type SchemaDocument,
  type SchemaNode,
} from './nodes.ts'
import { Reader } from './reader.ts'

/** @throws GraphqlError */
export function parseSchemaDocument(text: string): SchemaDocument {
  return new SchemaParser(text).document()
}

const kinds = new Map([
  ['scalar', 'SCALAR'],
  ['type', 'OBJECT'],
  ['interface', 'INTERFACE'],
  ['union', 'UNION'],
  ['enum', 'ENUM'],
  ['input', 'INPUT_OBJECT'],
])

const locations = new Set([
  'QUERY',
  'MUTATION',
  'SUBSCRIPTION',
  'FIELD',
  'FRAGMENT_DEFINITION',
  'FRAGMENT_SPREAD',
  'INLINE_FRAGMENT',
  'VARIABLE_DEFINITION',
  'SCHEMA',
  'SCALAR',
  'OBJECT',
  'FIELD_DEFINITION',
  'ARGUMENT_DEFINITION',
  'INTERFACE',
  'UNION',
  'ENUM',
  'ENUM_VALUE',
  'INPUT_OBJECT',
  'INPUT_FIELD_DEFINITION',
])

class SchemaParser extends Reader {
  document(): SchemaDocument {
    const schema: SchemaNode[] = []
    const schemaExtensions: SchemaNode[] = []
    const directives: DirectiveDefinitionNode[] = []
    const definitions: DefinitionNode[] = []
    const extensions: DefinitionNode[] = []
    while (!this.is('<EOF>')) {
      const description = this.#description()
      if (!this.is('Name')) this.unexpected()
      const word = this.peek().value
      if (kinds.has(word)) definitions.push(this.#definition(description, 'definition'))
      else if (word === 'schema') schema.push(this.#schema(description, 'definition'))
      else if (word === 'directive') directives.push(this.#directive(description))
      else if (word === 'extend') {
        if (description !== '') this.unexpected(this.previous)
        this.next()
        if (this.isWord('schema')) schemaExtensions.push(this.#schema('', 'extension'))
        else extensions.push(this.#definition('', 'extension'))
      } else this.unexpected()
    }
    return node<SchemaDocument>(undefined, {
      Schema: schema,
      SchemaExtension: schemaExtensions,
      Directives: directives,
      Definitions: definitions,
      Extensions: extensions,
    })
  }

  #description(): string {
    return this.is('String') || this.is('BlockString') ? this.next().value : ''
  }

  #schema(description: string, role: 'definition' | 'extension'): SchemaNode {
    this.expectWord('schema')
    const position = this.position()
    const directives = this.directives('constant')
    const types = this.some('{', '}', () => {
      const at = this.position()
      const operation = this.next()
      if (!/^(?:query|mutation|subscription)$/.test(operation.value)) this.unexpected(operation)
      this.expect(':')
      return node<{ Operation: string; Type: string }>(at, {
        Operation: operation.value,
        Type: this.name(),
      })
    })
    if (role === 'extension' && directives.length === 0 && types.length === 0) this.unexpected()
    return node<SchemaNode>(position, {
      Description: description,
      Directives: directives,
      OperationTypes: types,
    })
  }

  #definition(description: string, role: 'definition' | 'extension'): DefinitionNode {
    const kind = kinds.get(this.peek().value) ?? this.unexpected()
    this.next()
    const position = this.position()
    const name = this.name()
    const interfaces = kind === 'OBJECT' || kind === 'INTERFACE' ? this.#interfaces() : []
    const directives = this.directives('constant')
    const fields = this.#fields(kind)
    const types = kind === 'UNION' ? this.#unionTypes() : []
    const values = kind === 'ENUM' ? this.#enumValues() : []
    const parts = [interfaces, directives, fields, types, values]
    if (role === 'extension' && parts.every((part) => part.length === 0)) this.unexpected()
    return node<DefinitionNode>(position, {
      Kind: kind,
      Description: description,
      Name: name,
      Directives: directives,
      Interfaces: interfaces,
      Fields: fields,
      Types: types,
      EnumValues: values,
      BuiltIn: false,
    })
  }

  #interfaces(): string[] {
    if (!this.isWord('implements')) return []
    this.next()
    this.skip('&')
    return this.#names('&')
  }

  #unionTypes(): string[] {
    if (!this.skip('=')) return []
    this.skip('|')
    return this.#names('|')
  }

  #names(separator: string): string[] {
    const names = [this.name()]
    while (this.skip(separator)) names.push(this.name())
    return names
  }

  #fields(kind: string): FieldNode[] {
    if (kind === 'INPUT_OBJECT') return this.some('{', '}', () => this.#input())
    if (kind !== 'OBJECT' && kind !== 'INTERFACE') return []
    return this.some('{', '}', () => {
      const position = this.position()
      const description = this.#description()
      const name = this.name()
      const given = this.#arguments()
      this.expect(':')
      return node<FieldNode>(position, {
        Description: description,
        Name: name,
        Arguments: given,
        DefaultValue: undefined,
        Type: this.type(),
        Directives: this.directives('constant'),
      })
    })
  }

  #arguments(): FieldNode[] {
    return this.some('(', ')', () => this.#input())
  }

  #input(): FieldNode {
    const position = this.position()
    const description = this.#description()
    const name = this.name()
    this.expect(':')
    return node<FieldNode>(position, {
      Description: description,
      Name: name,
      Arguments: undefined,
      Type: this.type(),
      DefaultValue: this.skip('=') ? this.value('constant') : undefined,
      Directives: this.directives('constant'),
    })
  }

  #enumValues(): EnumValueNode[] {
    return this.some('{', '}', () => {
      const position = this.position()
      return node<EnumValueNode>(position, {
        Description: this.#description(),
        Name: this.name(),
        Directives: this.directives('constant'),
      })
    })
  }

  #directive(description: string): DirectiveDefinitionNode {
    this.expectWord('directive')
    this.expect('@')
    const position = this.position()
    const name = this.name()
    const given = this.#arguments()
    const repeatable = this.isWord('repeatable')
    if (repeatable) this.next()
    this.expectWord('on')
    this.skip('|')
    const places = [this.#location()]
    while (this.skip('|')) places.push(this.#location())
    return node<DirectiveDefinitionNode>(position, {
      Description: description,
      Name: name,
      Arguments: given,
      Locations: places,
      IsRepeatable: repeatable,
    })
  }

  #location(): string {
    const token = this.expect('Name')
    return locations.has(token.value) ? token.value : this.unexpected(token)
  }
}
