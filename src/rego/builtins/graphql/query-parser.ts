/** Parses executable GraphQL documents: operations and fragments. */
import {
  node,
  type FragmentNode,
  type OperationNode,
  type QueryDocument,
  type SelectionNode,
  type VariableNode,
} from './nodes.ts'
import { Reader } from './reader.ts'

/** @throws GraphqlError */
export function parseQuery(text: string): QueryDocument {
  return new QueryParser(text).document()
}

class QueryParser extends Reader {
  document(): QueryDocument {
    const operations: OperationNode[] = []
    const fragments: FragmentNode[] = []
    while (!this.is('<EOF>')) {
      if (this.isWord('fragment')) fragments.push(this.#fragmentDefinition())
      else if (this.is('{') || /^(?:query|mutation|subscription)$/.test(this.peek().value)) {
        operations.push(this.#operation())
      } else this.unexpected()
    }
    return node<QueryDocument>(undefined, { Operations: operations, Fragments: fragments })
  }

  #operation(): OperationNode {
    const position = this.position()
    const fields = { VariableDefinitions: undefined, Directives: undefined }
    if (this.is('{')) {
      const SelectionSet = this.#selections()
      return node<OperationNode>(position, {
        ...fields,
        Operation: 'query',
        Name: '',
        SelectionSet,
      })
    }
    return node<OperationNode>(position, {
      Operation: this.next().value,
      Name: this.is('Name') ? this.next().value : '',
      VariableDefinitions: this.#variables(),
      Directives: this.directives('with variables'),
      SelectionSet: this.#selections(),
    })
  }

  #variables(): VariableNode[] {
    return this.many('(', ')', () => {
      const position = this.position()
      const variable = this.variable()
      this.expect(':')
      return node<VariableNode>(position, {
        Variable: variable,
        Type: this.type(),
        DefaultValue: this.skip('=') ? this.value('constant') : undefined,
        Directives: this.directives('with variables'),
        Used: false,
      })
    })
  }

  #selections(): SelectionNode[] {
    if (!this.is('{')) this.fail(`Expected {, found ${this.peek().kind}`)
    return this.some('{', '}', () => (this.is('...') ? this.#spread() : this.#field()))
  }

  #field(): SelectionNode {
    const position = this.position()
    const alias = this.name()
    const name = this.skip(':') ? this.name() : alias
    return node<SelectionNode>(position, {
      Alias: alias,
      Name: name,
      Arguments: this.arguments('with variables'),
      Directives: this.directives('with variables'),
      SelectionSet: this.is('{') ? this.#selections() : [],
      TypeCondition: undefined,
    })
  }

  #spread(): SelectionNode {
    this.expect('...')
    const position = this.position()
    const fields = { Alias: undefined, Arguments: undefined }
    if (this.is('Name') && !this.isWord('on')) {
      return node<SelectionNode>(position, {
        ...fields,
        Name: this.name(),
        Directives: this.directives('with variables'),
        SelectionSet: undefined,
        TypeCondition: undefined,
      })
    }
    let condition = ''
    if (this.isWord('on')) {
      this.next()
      condition = this.name()
    }
    return node<SelectionNode>(position, {
      ...fields,
      Name: undefined,
      TypeCondition: condition,
      Directives: this.directives('with variables'),
      SelectionSet: this.#selections(),
    })
  }

  #fragmentDefinition(): FragmentNode {
    const position = this.position()
    this.expectWord('fragment')
    if (this.isWord('on')) this.unexpected()
    const name = this.name()
    const variables = this.#variables()
    this.expectWord('on')
    return node<FragmentNode>(position, {
      Name: name,
      VariableDefinition: variables,
      TypeCondition: this.name(),
      Directives: this.directives('with variables'),
      SelectionSet: this.#selections(),
    })
  }
}
