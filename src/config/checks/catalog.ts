/**
 * Loads the catalog of third-party APIs with our YAML reader, and says its problems as configuration faults.
 *
 * The catalog judges its entries itself; only the parser and the form of a fault are ours.
 */
import { existsSync } from 'node:fs'
import { Catalog } from '../../catalog/catalog.ts'
import type { CatalogProblem } from '../../catalog/entry/problem.ts'
import { loadCatalog } from '../../catalog/load.ts'
import type { ConfigFault } from '../read/fault.ts'
import { readYaml } from '../read/yaml-document.ts'

const toFault = (problem: CatalogProblem): ConfigFault => ({
  file: problem.file,
  line: problem.line,
  column: problem.column,
  setting: problem.setting,
  expected: problem.expected,
  got: problem.got,
  hint: problem.hint === '' ? `write ${problem.expected}` : problem.hint,
})

/** The catalog in `directory`; an absent folder is an empty catalog, which lets nothing out. */
export const checkCatalog = (
  directory: string,
): { readonly catalog: Catalog; readonly faults: readonly ConfigFault[] } => {
  if (!existsSync(directory)) return { catalog: new Catalog([]), faults: [] }
  const { catalog, problems } = loadCatalog(directory, readYaml)
  return { catalog, faults: problems.map(toFault) }
}
