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
import type { CheckSubject } from './check.ts'
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

/** Hosts that are both a mesh service and a third party: the application could not say which it means. */
export const checkHosts = (subject: CheckSubject, catalog: Catalog): readonly ConfigFault[] => {
  const owners = new Map(
    catalog.entries.flatMap((entry) =>
      entry.hosts
        .filter(({ kind }) => kind !== 'wildcard')
        .map(({ host }) => [host, entry.name] as const),
    ),
  )
  return (subject.config.outbound?.services ?? []).flatMap(({ hosts, name }, index) =>
    (hosts.length > 0 ? hosts : [name]).flatMap((host, at) => {
      const owner = owners.get(host)
      if (owner === undefined) return []
      const path = ['outbound', 'services', index, ...(hosts.length > 0 ? ['hosts', at] : ['name'])]
      return [
        subject.fault(path, {
          expected: 'a host that is a mesh service or a third party',
          got: `${host}, which the API ${owner} declares`,
          hint: `take ${host} out of the service or out of the catalog entry`,
        }),
      ]
    }),
  )
}
