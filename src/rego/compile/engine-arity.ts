/** Operand counts of the calls that the engine itself evaluates. */
export const engineArity: ReadonlyMap<string, number> = new Map([
  ['walk', 1],
  ['eq', 2],
  ['assign', 2],
  ['internal.member_2', 2],
  ['internal.member_3', 3],
  ['rego.metadata.chain', 0],
  ['rego.metadata.rule', 0],
])
