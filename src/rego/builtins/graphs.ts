/**
 * Reachability in a graph given as an object from node to its neighbours.
 *
 * The number of paths grows exponentially with the graph; each path pays for its steps.
 */
import { objectGet, RegoSet, type ObjectValue, type Value } from '../values.ts'
import type { BuiltinContext } from './builtin.ts'
import {
  elementsOf,
  failType,
  objectOperand,
  resultLimit,
  fail,
  type FunctionTable,
} from './operand.ts'

function nodesOf(value: Value): readonly Value[] {
  return elementsOf(value) ?? failType(2, value, '{array, set}')
}

/** Neighbours of a node that is in the graph; a node whose value is no collection has none. */
function neighbours(graph: ObjectValue, node: Value): readonly Value[] | undefined {
  const edges = objectGet(graph, node)
  return edges === undefined ? undefined : (elementsOf(edges) ?? [])
}

function reachable(context: BuiltinContext, graph: ObjectValue, start: readonly Value[]): RegoSet {
  const reached = new RegoSet()
  const queue = [...start]
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (reached.has(node)) continue
    const edges = neighbours(graph, node)
    if (edges === undefined) continue
    reached.add(node)
    context.spend(1 + edges.length)
    queue.push(...edges.filter((next) => !reached.has(next)))
  }
  return reached
}

class PathFinder {
  readonly paths = new RegoSet()
  readonly #context: BuiltinContext
  readonly #graph: ObjectValue
  #size = 0

  constructor(context: BuiltinContext, graph: ObjectValue) {
    this.#context = context
    this.#graph = graph
  }

  from(node: Value): void {
    const edges = neighbours(this.#graph, node)
    if (edges === undefined) return
    if (edges.length === 0) this.#commit([node])
    for (const next of edges) this.#extend([node], new RegoSet([node]), next)
  }

  #extend(path: readonly Value[], seen: RegoSet, node: Value): void {
    const edges = neighbours(this.#graph, node)
    if (edges === undefined) return this.#commit(path)
    const longer = [...path, node]
    if (edges.length === 0) return this.#commit(longer)
    this.#context.spend(longer.length)
    const known = new RegoSet(seen.members())
    known.add(node)
    for (const next of edges) {
      if (known.has(next)) this.#commit(longer)
      else this.#extend(longer, known, next)
    }
  }

  #commit(path: readonly Value[]): void {
    this.#size += path.length
    if (this.#size > resultLimit) fail('the graph has too many paths')
    this.#context.spend(path.length)
    this.paths.add(path)
  }
}

export const graphFunctions: FunctionTable = {
  'graph.reachable': (context, graph, start) =>
    reachable(context, objectOperand(graph, 1), nodesOf(start)),
  'graph.reachable_paths': (context, graph, start) => {
    const finder = new PathFinder(context, objectOperand(graph, 1))
    for (const node of nodesOf(start)) finder.from(node)
    return finder.paths
  },
}
