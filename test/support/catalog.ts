/** Builders for tests that need API entries: from YAML text, in memory, with the real YAML reader. */
import { loadCatalog, type LoadedCatalog } from '../../src/catalog/load.ts'
import type { ApiEntry } from '../../src/catalog/entry/entry.ts'
import { readYaml } from '../../src/config/read/yaml-document.ts'

/** A catalog of files given as text by name; `apis/` is the folder. */
export const catalogOf = (files: Readonly<Record<string, string>>): LoadedCatalog =>
  loadCatalog('apis', readYaml, {
    list: () => Object.keys(files),
    readText: (path) => {
      const text = files[path.replace(/^apis\//, '')]
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      return text
    },
  })

/** A valid entry for `cards.example`, with `more` YAML lines at its end. */
export const cardsYaml = (more = ''): string => `name: cards
owner: group:payments
purpose: card charges for checkout
data: [pci]
callers: [spiffe://shop.test/payments]
hosts: ['cards.example:8443']
operations:
  - GET /v1/charges/{id}
  - POST /v1/charges
review_by: 2027-02-01
${more}`

/** One entry from YAML; throws with every problem when it is not valid. */
export const entryOf = (yaml: string, others: Readonly<Record<string, string>> = {}): ApiEntry => {
  const name = /^name: (.*)$/m.exec(yaml)?.[1] ?? 'cards'
  const { catalog, problems } = catalogOf({ [`${name}.yaml`]: yaml, ...others })
  const entry = catalog.get(name)
  if (!entry)
    throw new Error(
      problems
        .map((one) => `${one.setting}: ${one.expected}, got ${one.got} (${one.hint})`)
        .join('\n'),
    )
  return entry
}
