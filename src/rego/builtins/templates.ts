/** `strings.render_template`: Go's text/template over an object of variables. */
import { fail, objectOperand, stringOperand, type FunctionTable } from './operand.ts'
import { parseTemplate } from './template/parse.ts'
import { renderTemplate } from './template/render.ts'
import { TemplateError } from './template/tree.ts'

export const templateFunctions: FunctionTable = {
  'strings.render_template': (context, template, variables) => {
    const text = stringOperand(template, 1)
    const data = objectOperand(variables, 2)
    try {
      return renderTemplate(parseTemplate(text), data, (steps) => context.spend(steps))
    } catch (error) {
      if (error instanceof TemplateError) fail(error.message)
      throw error
    }
  },
}
